#!/bin/sh
# rank-memory.sh: what rank's memory depends on (the records that it keeps) and on what it does not
# (the length of the stream).
#
# usage: BIN=build/bin AID=build/tests sh tests/stress/rank-memory.sh
#
# Prints peak resident memory (with the pages of files that were touched) and, where valgrind is
# there, massif's peak of anonymous memory.  Needs 330 MB in ${TMPDIR:-/tmp}.
set -eu
BIN=${BIN:-build/bin}
AID=${AID:-build/tests}
dir=$(mktemp -d "${TMPDIR:-/tmp}/rank-memory.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

# peak COMMAND: its largest resident set, in MiB
peak() {
    /usr/bin/time -f %M -o "$dir/m" "$@" >/dev/null
    awk '{ printf "%.1f", $1 / 1024 }' "$dir/m"
}

"$AID/make_records" -n 1 -s 9 -f text_embed >"$dir/q"
"$AID/make_records" -n 1000 -f text_embed -p label >"$dir/labels"
printf 'records\tk\tfile\tpipe\tlabels (MiB resident, 2 threads)\n'
for n in 1000 10000 100000; do
    "$AID/make_records" -n $n >"$dir/f"
    for k in 10 1000; do
        printf '%s\t%s\t%s\t' $n $k "$(peak "$BIN/rank" -j 2 --query "$dir/q" -k $k "$dir/f")"
        cat "$dir/f" >"$dir/fifo" 2>/dev/null || true
        rm -f "$dir/fifo"
        mkfifo "$dir/fifo"
        cat "$dir/f" >"$dir/fifo" &
        printf '%s\t' "$(peak "$BIN/rank" -j 2 --query "$dir/q" -k $k "$dir/fifo")"
        wait
        rm -f "$dir/fifo"
        printf '%s\n' "$(peak "$BIN/rank" -j 2 --labels "$dir/labels" -k $k --tsv "$dir/f")"
    done
done
if command -v valgrind >/dev/null; then
    valgrind --tool=massif --pages-as-heap=no --stacks=yes --massif-out-file="$dir/massif" \
        "$BIN/rank" -j 2 --kernel avx2 --query "$dir/q" -k 10 "$dir/f" >/dev/null 2>&1
    awk -F = '/^mem_heap_B/ { h = $2 } /^mem_stacks_B/ { if (h + $2 > m) m = h + $2 }
              END { printf "massif, 100000 records, k 10: %.2f MiB of heap and stacks at most\n", m / 1048576 }' "$dir/massif"
fi
"$BIN/rank" -v -j 2 --query "$dir/q" -k 10 "$dir/f" 2>&1 >/dev/null | tail -n 1
