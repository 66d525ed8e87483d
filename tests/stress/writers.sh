#!/bin/sh
# writers.sh: two runs at a time on one -o, N times, started up to 0.1 s apart.  Either both come to their end, one after
# the other, or one is refused with a message; the file is then what the other wrote, whole.
#
# usage: BIN=build/bin tests/stress/writers.sh [N]        (50)
set -eu
BIN=$(cd "${BIN:-build/bin}" && pwd)
N=${1:-50}
demo=$(cd "$(dirname "$0")/../../examples/emoji/demo" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export UNCLIP_CACHE=none UNCLIP_MODEL=box
"$BIN/clip-embed" -b 1 "$demo"/[a-f]*.png >a
"$BIN/clip-embed" -b 1 "$demo"/[g-z]*.png >b
cat a b >ab
cat b a >ba
refused=0 both=0
for i in $(seq "$N"); do
    [ $((i % 3)) = 0 ] || rm -f out    # new, or there already
    skip=
    [ $((i % 2)) = 0 ] || { skip='--skip-from out'; rm -f out; }
    # shellcheck disable=SC2086
    "$BIN/clip-embed" -b 1 $skip -o out "$demo"/[a-f]*.png 2>err.a &
    first=$!
    sleep "0.0$((i * 7 % 10))"
    sa=0 sb=0
    # shellcheck disable=SC2086
    "$BIN/clip-embed" -b 1 $skip -o out "$demo"/[g-z]*.png 2>err.b || sb=$?
    wait $first || sa=$?
    case $sa$sb in
    00)
        both=$((both + 1))
        cmp -s out a || cmp -s out b || cmp -s out ab || cmp -s out ba || { echo "run $i: mixed results"; exit 1; } ;;
    02)
        refused=$((refused + 1))
        { grep -q 'another run' err.b && cmp out a; } || { echo "run $i: $(cat err.b)"; exit 1; } ;;
    20)
        refused=$((refused + 1))
        { grep -q 'another run' err.a && cmp out b; } || { echo "run $i: $(cat err.a)"; exit 1; } ;;
    *) echo "run $i: status $sa and $sb: $(cat err.a err.b)"; exit 1 ;;
    esac
done
echo "$N pairs: $refused times one was refused, $both times both wrote, one after the other; no file was mixed"
