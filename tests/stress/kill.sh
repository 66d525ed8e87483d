#!/bin/sh
# kill.sh: runs that are killed at N moments and go on with --skip-from.  In the end the stream holds the records of a run
# that was not interrupted, byte for byte, and after each kill all records but the last are whole.
#
# usage: BIN=build/bin tests/stress/kill.sh [N]        (100; `make aids` first)
set -eu
BIN=$(cd "${BIN:-build/bin}" && pwd)
AID=$(cd "${AID:-$BIN/../tests}" && pwd)
N=${1:-100}
top=$(cd "$(dirname "$0")/../.." && pwd)
demo=$top/examples/emoji/demo gold=$top/tests/golden
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export UNCLIP_CACHE=none UNCLIP_MODEL=box
for _ in 1 2 3 4 5 6 7 8; do cat "$demo/labels.txt"; done | awk '{ print NR, $0 }' >lines
"$BIN/clip-tok" -f lines >tokens
"$BIN/clip-embed" -b 1 <tokens >embeds
head -n 12 lines | "$BIN/clip-tok" | "$BIN/clip-embed" >few
find "$demo" -name '*.png' | sort | tr '\n' '\0' >names
"$BIN/clip-embed" --keep-image=64 --files0-from=names >pictures
"$BIN/rank" --labels "$demo/labels.txt" pictures >labelled
"$BIN/probe" --train -o p.probe labelled
"$BIN/vq" -m "$gold/dalle/vqgan/vq" --side 32 --files0-from=names >codes
"$BIN/clip-tok" -f "$demo/labels.txt" >labels
# the tiny Karlo of the tests, which has no text tower
for i in 1 2 3 4 5 6 7 8; do "$BIN/record-json" "$gold/karlo/text.clip" | sed "s/\"id\":\"[^\"]*\"/\"id\":\"$i\"/" | "$BIN/record-json" --from-json; done >four
U="-q -m $gold/karlo --uncond=$gold/karlo/empty.clip"
# shellcheck disable=SC2086
"$BIN/prior" $U --steps 2 four | "$BIN/decode64" $U --steps 2 >small
# a tiny GLIDE
"$AID/make_glide" -t glide base upsample >/dev/null
cp "$gold/glide/vocab.bpe" glide
head -n 5 lines | "$BIN/clip-tok" -m glide >prompts
"$BIN/decode64" -q -m glide --steps 2 prompts >drawn

# one NAME INPUT COMMAND...: the command is killed after longer and longer, with TERM and KILL in turn, until it comes to its
# end.  The steps are a twelfth of the time that it takes.  A drawing that TERM interrupts is written with the field "step".
# --skip-from does not take it for a result, and neither does the comparison.
kills=0 cuts=0 programs=0
results() {
    case $name in clip-draw) grep -v '"step":' || true ;; *) cat ;; esac
}
one() {
    name=$1 in=$2
    shift 2
    begun=$(date +%s%N)
    "$@" <"$in" >want
    step=$((($(date +%s%N) - begun) / 12000000 + 2))
    : >out
    wait=2 here=$kills
    while :; do
        status=0
        sig=$([ $((kills % 2)) = 0 ] && echo KILL || echo TERM)
        timeout -s "$sig" "$((wait / 1000)).$(printf %03d $((wait % 1000)))" "$@" -q --skip-from out -o out <"$in" 2>err || status=$?
        [ $status = 0 ] && break
        case $status in 124 | 137 | 143) ;; *) echo "$name: status $status: $(cat err)"; exit 1 ;; esac
        kills=$((kills + 1))
        flock out true    # timeout does not wait for what it killed
        wait=$((wait + step))
        # what is whole is a beginning of what was wanted
        "$BIN/record-json" out >all.json 2>err || { cuts=$((cuts + 1)) && grep -q 'cut short' err && [ "$(wc -l <err)" = 1 ]; }
        results <all.json >got.json
        "$BIN/record-json" want | results | head -n "$(wc -l <got.json)" | cmp - got.json
    done
    if [ $name = clip-draw ]; then "$BIN/record-json" out | results >got.json && "$BIN/record-json" want | results | cmp - got.json; else cmp want out; fi || { echo "$name: another stream than without a kill"; exit 1; }
    [ $round = 1 ] && echo "$name: $((kills - here)) kills"
    programs=$((programs + 1))
}
round=0
while [ $kills -lt "$N" ]; do
    before=$kills round=$((round + 1))
    one clip-tok /dev/null "$BIN/clip-tok" -f lines
    one embed-text tokens "$BIN/clip-embed" -b 1
    one embed-files /dev/null "$BIN/clip-embed" -b 2 --files0-from=names
    one prior /dev/null "$BIN/prior" --steps 2 -b 1 few
    one decode64 /dev/null "$BIN/decode64" --steps 1 --embed=text few
    # shellcheck disable=SC2086
    {
        one prior-full /dev/null "$BIN/prior" $U -n 2 four
        one decode64-full /dev/null "$BIN/decode64" $U -n 2 --emit-steps 9 four
        one upsample-full /dev/null "$BIN/upsample" -m "$gold/karlo" small
        one ddim-invert /dev/null "$BIN/ddim-invert" $U --steps 5 small
    }
    one glide /dev/null "$BIN/decode64" -m glide --steps 5 -n 2 prompts
    one glide-upsample /dev/null "$BIN/upsample" -m glide --steps 3 drawn
    one clip-draw /dev/null "$BIN/clip-draw" --iterations 3 --strokes 8 --cutouts 1 few
    one rank /dev/null "$BIN/rank" --labels "$demo/labels.txt" embeds
    one probe /dev/null "$BIN/probe" p.probe pictures
    one embed-mix /dev/null "$BIN/embed-mix" slerp --frames 9 pictures pictures
    one vq /dev/null "$BIN/vq" -m "$gold/dalle/vqgan/vq" --side 64 --files0-from=names
    one vq-d /dev/null "$BIN/vq" -m "$gold/dalle/vqgan/vq" -d codes
    one dalle /dev/null "$BIN/dalle" -m "$gold/dalle/mindalle" -n 3 labels
    one dalle-every /dev/null "$BIN/dalle" -m "$gold/dalle/mindalle" -b 1 -n 2 --every 5 labels
    [ $kills -gt $before ] || { echo "nothing was killed"; exit 1; }
done
echo "$kills kills in $programs runs, $cuts of them inside a record; nothing lost, nothing doubled"
