#!/bin/sh
# rank.sh: how near to the speed of reading rank comes, for N records (default 1000000) of 768
# numbers, f32 and f16, from a warm file and from a pipe.
#
# usage: BIN=build/bin BENCH=build/bench AID=build/tests sh bench/rank.sh [N [RUNS]]
#
# Runs alternate; medians of the wall clock and of the processor's time are printed, and what
# share of the other program's rate rank has.  Needs 3.3 GB in ${TMPDIR:-/tmp} and as much memory
# for the page cache; the files are removed.
set -eu
BIN=${BIN:-build/bin}
BENCH=${BENCH:-build/bench}
AID=${AID:-build/tests}
n=${1:-1000000}
runs=${2:-5}
threads=$(nproc)
dir=$(mktemp -d "${TMPDIR:-/tmp}/rank-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

# timed NAME COMMAND: append "wall cpu" in seconds to times.NAME
timed() {
    name=$1
    shift
    bash -c 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null' _ "$@" 2>"$dir/t"
    awk '{ print $1, $2 + $3 }' "$dir/t" >>"$dir/times.$name"
}

# median NAME COLUMN
median() {
    cut -d ' ' -f "$2" "$dir/times.$1" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# row WHAT BYTES NAME [BASE]
row() {
    wall=$(median "$3" 1)
    cpu=$(median "$3" 2)
    base=$(median "${4:-$3}" 1)
    basecpu=$(median "${4:-$3}" 2)
    awk -v what="$1" -v b="$2" -v w="$wall" -v c="$cpu" -v bw="$base" -v bc="$basecpu" 'BEGIN {
        printf "%s\t%.3f\t%.3f\t%.2f\t%.0f%%\t%.0f%%\n", what, w, c, b / w / 1e9, 100 * bw / w, 100 * bc / c }'
}

printf '%s records of 768 numbers, %s threads, medians of %s runs\n' "$n" "$threads" "$runs"
printf 'what\twall s\tcpu s\tGB/s\trate\trate per cpu s\n'
"$AID/make_records" -n 1 -s 9 -f text_embed >"$dir/q"
for type in f32 f16; do
    f=$dir/$type
    "$AID/make_records" -n "$n" -t $type >"$f"
    cat "$f" >/dev/null
    bytes=$(wc -c <"$f")
    rm -f "$dir"/times.*
    i=0
    while [ $i -lt "$runs" ]; do
        timed sum "$BENCH/sumbytes" "$threads" "$f"
        timed map "$BENCH/sumbytes" -m "$threads" "$f"
        timed rank "$BIN/rank" -q --query "$dir/q" -k 10 --tsv "$f"
        # shellcheck disable=SC2016
        timed wc sh -c 'cat "$1" | wc -c' _ "$f"
        # shellcheck disable=SC2016
        timed pipe sh -c 'cat "$1" | "$2" -q --query "$3" -k 10 --tsv' _ "$f" "$BIN/rank" "$dir/q"
        i=$((i + 1))
    done
    row "$type sum of the bytes, read" "$bytes" sum
    row "$type sum of the bytes, mapped" "$bytes" map sum
    row "$type rank -k 10" "$bytes" rank sum
    row "$type cat | wc -c" "$bytes" wc
    row "$type cat | rank -k 10" "$bytes" pipe wc
    rm -f "$f"
done
