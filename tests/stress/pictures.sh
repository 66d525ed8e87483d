#!/bin/sh
# pictures.sh: thousands of broken and hostile pictures of every format through image_read, built with
# AddressSanitizer and UBSan, with limits of time and memory.  None may crash, hang or take memory that is not there.
#
# usage: tests/stress/pictures.sh [N [SEED [FORMAT ...]]]      (10000, 1, all; needs python3)
#
#      SAN      the build's sanitizers (address,undefined), or none
#      PIXELS   as --max-pixels (4000000)
#      MB       resident memory of one process (700: sanitizers take most of it)
#      SECONDS_EACH   for one file (5)
#
# Prints how many files of each format were read and refused, and each file that did worse; those are kept.
set -eu
N=${1:-10000} SEED=${2:-1}
[ $# -lt 3 ] && set -- "$N" "$SEED"
shift 2
SAN=${SAN-address,undefined} PIXELS=${PIXELS:-4000000} MB=${MB:-700} SECONDS_EACH=${SECONDS_EACH:-5}
cd "$(dirname "$0")/../.."
B=build-${SAN%%,*}
[ "$SAN" ] || B=build
make -s -j2 ${SAN:+SAN="$SAN"} B="$B" "$B/tests/read_image" >/dev/null
dir=$(mktemp -d "${TMPDIR:-/tmp}/pictures.XXXXXX")
trap 'exit 1' INT TERM
export ASAN_OPTIONS="hard_rss_limit_mb=$MB:exitcode=99:detect_leaks=0:allocator_may_return_null=1"
# shellcheck disable=SC3045
[ "$SAN" ] || ulimit -v $((MB * 1024))

python3 tests/stress/mutate_pictures.py "$dir" "$N" "$SEED" "$@"
bad=0
# one FILE: what it does by itself; prints and keeps it if that is worse than an error
one() {
    status=0
    timeout "$SECONDS_EACH" "$B/tests/read_image" -x -p "$PIXELS" "$1" >"$dir/out" 2>"$dir/err" || status=$?
    if [ $status -gt 1 ]; then
        bad=$((bad + 1))
        [ $status = 124 ] && why="more than $SECONDS_EACH s" || why="status $status"
        echo "BAD ($why): $1 $(grep -m 1 -E 'SUMMARY|runtime error|ssertion|hard rss' "$dir/err" || true)"
    else
        cat "$dir/out" >>"$dir/lines"
    fi
}

: >"$dir/lines"
find "$dir" -name '[0-9]*' | sort >"$dir/names"
split -l 40 "$dir/names" "$dir/part."
for part in "$dir"/part.*; do
    status=0
    # shellcheck disable=SC2046
    timeout $((SECONDS_EACH * 12)) "$B/tests/read_image" -x -p "$PIXELS" $(cat "$part") >"$dir/out" 2>"$dir/err" || status=$?
    if [ $status -gt 1 ]; then
        while read -r f; do one "$f"; done <"$part"
    else
        cat "$dir/out" >>"$dir/lines"
    fi
done
awk '{ f = $NF; sub(/.*\./, "", f); if ($1 == "error:") refused[f]++; else read[f]++ }
     END { for (f in refused) printf "%-5s %6d read %6d refused\n", f, read[f], refused[f] }' "$dir/lines" | sort
echo "$(wc -l <"$dir/lines") of $N files are read or refused, $bad crashed or went beyond $SECONDS_EACH s or $MB MB"
if [ $bad = 0 ]; then
    rm -rf "$dir"
    exit 0
fi
exit 1
