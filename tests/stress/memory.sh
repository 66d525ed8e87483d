#!/bin/bash
# memory.sh: every program with less and less address space (ulimit -v): it gives the result that it gives without a limit,
# or ends with a message and status 1 or 2.  It never ends by a signal, and never with another result.
#
# usage: BIN=build/bin tests/stress/memory.sh
set -eu
BIN=$(cd "${BIN:-build/bin}" && pwd)
demo=$(cd "$(dirname "$0")/../../examples/emoji/demo" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export UNCLIP_CACHE=none UNCLIP_MODEL=box
"$BIN/clip-tok" fish >tok
"$BIN/clip-embed" <tok >text
"$BIN/clip-embed" --keep-image=64 "$demo"/*.png >pictures
head -c 0 /dev/null >nothing
runs=0 done=0 refused=0
while read -r c; do
    eval "$BIN/$c" >want 2>err || { echo "$c: $(cat err)"; exit 1; }
    case $c in *nothing*) ;; *) [ -s want ] || { echo "$c: no output"; exit 1; } ;; esac
    least=
    for mb in 20 30 40 50 60 70 80 90 100 120 140 160 180 200 250 300 400 600; do
        status=0
        (ulimit -v $((mb * 1000)) && eval "exec $BIN/$c") >got 2>err || status=$?
        runs=$((runs + 1))
        case $status in
        0) cmp -s got want || { echo "$c: another result with $mb MB"; exit 1; }
            done=$((done + 1)) least=${least:-$mb} ;;
        1 | 2 | 127) [ -s err ] || { echo "$c: status $status without a message with $mb MB"; exit 1; }
            refused=$((refused + 1)) ;;
        *) echo "$c: status $status with $mb MB: $(cat err)"; exit 1 ;;
        esac
    done
    echo "$least MB	$c"
done <<LIST
clip-tok fish
clip-embed -j 2 <tok
clip-embed -j 2 $demo/fish.png
rank -j 2 --text fish --tsv pictures
rank -j 2 --labels $demo/labels.txt pictures
rank -j 2 --query text pictures
rank -j 2 --text fish < <(cat pictures)
prior -j 2 --steps 2 text
decode64 -j 2 --steps 1 --embed=text text
upsample -j 2 --steps 1 pictures
ddim-invert -j 2 --steps 2 pictures
embed-mix mean pictures
embed-mix slerp pictures pictures
record-json pictures
image-out -o - pictures
image-out --sheet -o - pictures
LIST
echo "$runs runs: $done with the right result, $refused refused with a message"
