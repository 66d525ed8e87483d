#!/bin/bash
# threads.sh: every program that computes, under ThreadSanitizer with four threads, on tiny models: a Karlo with its CLIP
# (make_karlo, make_model), the DALL-E 1 family of tests/golden.  Each gives the bytes that it gives with one thread.
#
# usage: tests/stress/threads.sh      (builds into build-thread)
set -eu
cd "$(dirname "$0")/../.."
make -s -j2 ${CC:+CC="$CC"} SAN=thread B=build-thread all build-thread/tests/make_karlo build-thread/tests/make_glide build-thread/tests/make_model >/dev/null
BIN=$PWD/build-thread/bin AID=$PWD/build-thread/tests top=$PWD
export TSAN_OPTIONS="exitcode=66:halt_on_error=0" UNCLIP_CACHE=none
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
demo=$top/examples/emoji/demo gold=$top/tests/golden/dalle
"$AID/make_karlo" -t -e 64 pipe >list
"$AID/make_model" -l split tiny pipe
"$AID/make_model" -l openai micro-rn resnet
mkdir glide
"$AID/make_glide" -t glide >>list
cp "$top/tests/golden/glide/vocab.bpe" glide
cp -r "$top/examples/emoji/tokenizer" pipe/tokenizer
export UNCLIP_MODEL=$dir/pipe
PATH=$BIN:$PATH
# what the programs read
head -n 6 "$demo/labels.txt" | clip-tok >tok
clip-embed <tok >text
head -n 1 "$demo/labels.txt" | clip-tok | clip-embed >query
clip-embed --keep-image=16 "$demo"/[a-h]*.png >pictures
clip-embed -m box "$demo"/[a-h]*.png >boxed    # random weights see one label only
rank -m box --labels "$demo/labels.txt" boxed >labelled
probe --train -o p.probe labelled
vq -m "$gold/vqgan/vq" --side 32 "$demo"/[a-h]*.png >codes
clip-tok -m glide 'the red cat' >red_cat
decode64 -m glide --steps 3 red_cat >small

clip-tok -m box fish >named

runs=0 bad=0
# run COMMAND...: with one thread and with four, on the file $IN
run() {
    status=0
    "$1" -j 1 "${@:2}" <"${IN:-/dev/null}" >one 2>err.1 || status=$?
    "$1" -j 4 "${@:2}" <"${IN:-/dev/null}" >four 2>err.4 || status=$((status + 1000 * $?))
    runs=$((runs + 1))
    if [ $status != 0 ] || grep -q 'ThreadSanitizer' err.1 err.4 || ! cmp -s one four; then
        bad=$((bad + 1))
        echo "BAD (status $status): $*"
        head -n 40 err.1 err.4
    fi
}
run clip-embed -b 3 "$demo"/*.png
run clip-embed -b 3 --id content --features --exif "$demo"/[a-f]*.png
IN=tok run clip-embed -b 4 --dtype f16
run clip-embed -m resnet/micro-rn.pt -b 2 "$demo"/[a-d]*.png
for p in f32 bf16; do
    run prior -n 2 --precision $p text
    run prior --rng torch --precision $p text
    run decode64 -n 2 --embed text --precision $p text
    run upsample --steps 3 --precision $p pictures
    run ddim-invert --steps 5 --precision $p pictures
    run dalle -m "$gold/mindalle" -n 3 --precision $p tok
    run vq -d -m "$gold/vqgan/vq" --precision $p codes
done
run decode64 -m glide -n 2 --steps 9 red_cat
run upsample -m glide --steps 5 small
run clip-draw --iterations 4 text
run clip-draw --canvas pixels --iterations 4 -n 2 pictures
run decode64 -m glide -m pipe --steps 3 -g 1 --clip-guidance 30 --clip-guidance-on x0 --cutouts 2 red_cat
run decode64 -m box/noised_clip -m box --embed none --steps 1 -g 1 --clip-guidance 10 named
run clip-draw --canvas vqgan --vq "$gold/vqgan/vq" --size 32 --iterations 3 --cutouts 4 text
run prior -m "$top/tests/golden/ar_prior" --uncond "$top/tests/golden/karlo/empty.clip" -g 2 -n 2 -b 3 "$top/tests/golden/karlo/text.clip"
run decode64 --erase 2,2,9,9 --resample 2 pictures
run decode64 --ddim --eta 0.5 --emit-steps 5 --no-text pictures
for r in v2 v3; do
    mkdir $r
    cp "$gold/rudalle/pytorch_model_$r.bin" "$gold/rudalle/bpe.model" $r
    cp "$gold/rudalle/config_$r.json" $r/config.json
    run dalle -m $r -n 2 tok
done
run dalle -m "$gold/dallemini" -n 2 tok
run vq -b 3 -m "$gold/vqgan/vq" --side 64 "$demo"/[a-d]*.png
run rank --text fish --tsv pictures
run rank --image "$demo/fish.png" -k 3 pictures
run rank --labels "$demo/labels.txt" --templates openai7 pictures
run rank --query query pictures
run probe p.probe boxed
run probe --knn labelled --neighbours 3 boxed
run probe --tip labelled -m box --classes "$demo/labels.txt" boxed
for train in "" --sweep --calibrate "--folds 3 --report"; do
    # shellcheck disable=SC2086
    run probe --train $train -o /dev/null labelled
done
# the cache of packed weights, written and then mapped
export UNCLIP_CACHE=$dir/cache
run prior text
run prior text
echo "$runs commands, each with one thread and with four: $bad with a report, another status or other bytes"
[ $bad = 0 ]
