#!/bin/sh
# kill.sh: runs that are killed at N moments and go on with --skip-from.  In the end the stream holds the records of a run
# that was not interrupted, byte for byte, and after each kill all records but the last are whole.
#
# usage: BIN=build/bin tests/stress/kill.sh [N]        (100)
set -eu
BIN=$(cd "${BIN:-build/bin}" && pwd)
N=${1:-100}
demo=$(cd "$(dirname "$0")/../../examples/emoji/demo" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export UNCLIP_CACHE=none
for _ in 1 2 3 4 5 6 7 8; do cat "$demo/labels.txt"; done | awk '{ print NR, $0 }' >lines
"$BIN/clip-tok" -f lines >tokens
"$BIN/clip-embed" -b 1 <tokens >embeds
head -n 12 lines | "$BIN/clip-tok" | "$BIN/clip-embed" >few
find "$demo" -name '*.png' | sort | tr '\n' '\0' >names

# one NAME INPUT COMMAND...: the command is killed after longer and longer, with TERM and KILL in turn, until it comes to its end.
kills=0 cuts=0
one() {
    name=$1 in=$2
    shift 2
    "$@" <"$in" >want
    : >out
    wait=2
    while :; do
        status=0
        sig=$([ $((kills % 2)) = 0 ] && echo KILL || echo TERM)
        timeout -s "$sig" "$((wait / 1000)).$(printf %03d $((wait % 1000)))" "$@" -q --skip-from out -o out <"$in" 2>err || status=$?
        [ $status = 0 ] && break
        case $status in 124 | 137 | 143) ;; *) echo "$name: status $status: $(cat err)"; exit 1 ;; esac
        kills=$((kills + 1))
        flock out true    # timeout does not wait for what it killed
        wait=$((wait + 7))
        # what is whole is a beginning of what was wanted
        "$BIN/record-json" out >got.json 2>err || { cuts=$((cuts + 1)) && grep -q 'cut short' err && [ "$(wc -l <err)" = 1 ]; }
        "$BIN/record-json" want | head -n "$(wc -l <got.json)" | cmp - got.json
    done
    cmp want out || { echo "$name: another stream than without a kill"; exit 1; }
}
while [ $kills -lt "$N" ]; do
    before=$kills
    one clip-tok /dev/null "$BIN/clip-tok" -f lines
    one embed-text tokens "$BIN/clip-embed" -b 1
    one embed-files /dev/null "$BIN/clip-embed" -b 2 --files0-from=names
    one prior /dev/null "$BIN/prior" --steps 2 -b 1 few
    one decode64 /dev/null "$BIN/decode64" --steps 1 --embed=text few
    one rank /dev/null "$BIN/rank" --labels "$demo/labels.txt" embeds
    [ $kills -gt $before ] || { echo "nothing was killed"; exit 1; }
done
echo "$kills kills, $cuts of them inside a record; nothing lost, nothing doubled"
