#!/bin/sh
# rank-memory.sh: show that the memory of rank depends on the records that it keeps, and not on the length of the stream.
#
# usage: BIN=build/bin AID=build/tests sh tests/stress/rank-memory.sh
#
# Prints the largest MiB of rank's own memory, and of its resident set.  The resident set also counts the pages of a
# mapped file that were read last, which belong to the page cache.  Needs 330 MB in ${TMPDIR:-/tmp}.
set -eu
BIN=${BIN:-build/bin}
AID=${AID:-build/tests}
dir=$(mktemp -d "${TMPDIR:-/tmp}/rank-memory.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

# peak COMMAND: "own (resident)"
peak() {
    /usr/bin/time -f 'resident %M' -o "$dir/m" "$@" -v >/dev/null 2>"$dir/v"
    awk '/MiB of memory/ { own = $(NF - 8) } /^resident/ { r = $2 / 1024 }
         END { printf "%.1f (%.1f)", own, r }' "$dir/v" "$dir/m"
}

"$AID/make_records" -n 1 -s 9 -f text_embed >"$dir/q"
"$AID/make_records" -n 1000 -f text_embed -p label >"$dir/labels"
printf 'records\tk\tfile\tpipe\tlabels (MiB of its own (resident), 2 threads)\n'
for n in 1000 10000 100000; do
    "$AID/make_records" -n $n >"$dir/f"
    for k in 10 1000; do
        printf '%s\t%s\t%s\t' $n $k "$(peak "$BIN/rank" -j 2 --query "$dir/q" -k $k "$dir/f")"
        mkfifo "$dir/fifo"
        cat "$dir/f" >"$dir/fifo" &
        printf '%s\t' "$(peak "$BIN/rank" -j 2 --query "$dir/q" -k $k "$dir/fifo")"
        wait
        rm -f "$dir/fifo"
        printf '%s\n' "$(peak "$BIN/rank" -j 2 --labels "$dir/labels" -k $k --tsv "$dir/f")"
    done
done
