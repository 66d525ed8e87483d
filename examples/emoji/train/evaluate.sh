#!/bin/bash
# evaluate.sh MODEL OUT [PART ...]: what the model must show, measured with unclip's own programs; numbers go to OUT/results.
#
# Parts: text conditions sheets inversion variations pca attack speed; all of them, in some ten minutes on two cores, when
# none is named.  A part that needs what another one leaves in OUT says so.  A run that was stopped goes on where it was.
#   SECOND  folder of a CLIP that was trained with another seed: the judge
#   SCENES  folder of scenes (eval_unclip.py scenes CACHE FOLDER 400), and in its folder prompts those that the prompts
#           were made for (eval_unclip.py prompts CACHE FOLDER/prompts)
#   BIN     unclip's programs; the default is build/bin
#   PRIOR, DECODE   options for prior and decode64, such as a guidance
set -euo pipefail
usage='usage: evaluate.sh MODEL OUT [PART ...]'
model=$(realpath "${1:?$usage}") out=${2:?$usage}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
demo=$here/../demo
PATH=$(realpath "${BIN:-$here/../../../build/bin}"):$PATH
SECOND=$(realpath "${SECOND:?a second CLIP}") SCENES=$(realpath "${SCENES:?a folder of scenes}")
read -ra prior_with <<<"${PRIOR:-}"
read -ra decode_with <<<"${DECODE:-}"
export UNCLIP_MODEL=$model
mkdir -p "$out"
cd "$out"
cp "$here/prompts.txt" prompts

say() { printf '%s\n' "$*" | tee -a results; }
py() { OMP_NUM_THREADS=1 python3 "$here/eval_unclip.py" "$@"; }
records() { record-json "$1" | sed -n "$2" | record-json --from-json; }    # some records of a stream, by line

# The second CLIP's embeddings of texts and pictures in place of the first's.
judged() {
    record-json "$1" | jq -c 'del(.data.text_embed, .data.text_states, .data.image_embed, .data.prior_embed)' |
        record-json --from-json | clip-embed -m "$SECOND" -S
}

# Of the prompts, how often does the second CLIP take the right one for a picture?  $1 says what it is; stdin has the
# second CLIP's embeddings of pictures with a text or, without one, one of each prompt in order.
retrieve() {
    rank -m "$SECOND" --labels prompts --templates none -k 100 | record-json --arrays |
        jq -r --rawfile all prompts '(.data.text // ($all | split("\n"))[input_line_number - 1]) as $t |
            (.data.label | index($t)) as $i | [$i, .data.cos[$i]] | @tsv' |
        awk -v what="$1" '{ n++; one += $1 == 0; five += $1 < 5; sum += $2 }
            END { printf "%s: %d pictures, right prompt first %.0f %%, among five %.0f %%, mean cosine to its own %.3f\n",
                  what, n, 100 * one / n, 100 * five / n, sum / n }' | tee -a results
}

# decode FILE OPTION ...: decode64 to FILE, going on with what is there
decode() {
    local file=$1
    shift
    decode64 -q -o "$file" --skip-from "$file" "$@"
}

# Four pictures of each prompt, the best by the model's own CLIP.
text() {
    [ -s texts.clip ] || clip-tok -f prompts | clip-embed >texts.clip
    [ -s embeds.clip ] || prior "${prior_with[@]}" -n 4 texts.clip >embeds.clip
    decode four.clip "${decode_with[@]}" embeds.clip
    judged four.clip | retrieve 'prior, all four samples'
    clip-embed <four.clip | rank -k 1 >best.clip
    judged best.clip | retrieve 'prior, best of four by rank'
}

# The paper's three conditions, one picture of each prompt, from the same noise; after text.
conditions() {
    decode caption.clip "${decode_with[@]}" --embed none texts.clip
    decode textembed.clip "${decode_with[@]}" --embed text texts.clip
    record-json four.clip | jq -c 'select(.data.sample == [0])' | record-json --from-json >prior.clip
    clip-embed -m "$SECOND" "$SCENES"/prompts/*.png | retrieve 'the drawings that the prompts were made for'
    judged caption.clip | retrieve 'caption only'
    judged textembed.clip | retrieve 'text embedding straight into the decoder'
    judged prior.clip | retrieve 'prior'
    for f in caption textembed prior; do records $f.clip '1~9p' >part-$f.clip; done
    cat part-caption.clip part-textembed.clip part-prior.clip | image-out --sheet=12 --caption none -o conditions.png
}

# The best and the worst of those four hundred by the second CLIP; after text.
sheets() {
    judged four.clip | rank --group none -k 400 | record-json >ranked.json
    head -64 ranked.json | record-json --from-json | image-out --sheet=8 --caption none -o best64.png
    tail -64 ranked.json | record-json --from-json | image-out --sheet=8 --caption none -o worst64.png
    head -8 ranked.json | jq -r '"  best: " + .id' >>results
    tail -8 ranked.json | jq -r '"  worst: " + .id' >>results
    head -16 ranked.json | record-json --from-json | upsample | image-out --sheet=4 --caption none -o best16.png
}

# 50 steps to the noise and 50 back.
inversion() {
    clip-embed --keep-image=64 "$demo"/*.png >drawings.clip
    clip-embed --keep-image=64 "$SCENES"/000?.png "$SCENES"/001[0-3].png >scenes.clip
    for f in drawings scenes; do
        ddim-invert $f.clip >$f-noise.clip
        decode64 $f-noise.clip >$f-back.clip
        say "inversion and back, 50 steps, $f: $(py psnr $f.clip $f-back.clip)"
    done
    for f in drawings drawings-back; do records $f.clip 1,12p >part-$f.clip; done
    cat part-drawings.clip part-drawings-back.clip | image-out --sheet=12 --caption none -o inversion.png
}

# Four variations of each drawing; after inversion.
variations() {
    clip-embed -m "$SECOND" <drawings.clip >judged.clip
    for eta in 0.5 1; do
        decode64 --eta $eta -n 4 "${decode_with[@]}" drawings-noise.clip >vary-$eta.clip
        clip-embed -m "$SECOND" <vary-$eta.clip >judged-vary.clip
        say "variations, eta $eta: $(py keep judged.clip judged-vary.clip)"
        records vary-$eta.clip 1,24p | image-out --sheet=8 --caption none -o variations-$eta.png
    done
}

# Drawings as the first components of their embedding show them; the last is the whole embedding's.
pca() {
    clip-embed "$SCENES"/*.png | embed-mix pca-fit -o pca.clip
    clip-embed "$demo"/{red-heart,green-apple,sun,fish}.png |
        embed-mix pca-reconstruct --pca pca.clip --counts 2,4,8,16,32,64,128,256 | decode64 --ddim "${decode_with[@]}" |
        image-out --sheet=8 --caption none -o pca.png
}

# Zero-shot labels of the drawings before and after a word is written on them.
attack() {
    labels() { clip-embed "$@" | rank --labels "$demo/labels.txt" | record-json | jq -r '.data.label'; }
    labels "$demo"/*.png >before
    py write written 'red heart' "$demo"/*.png
    labels written/*.png >after
    say "a label 'red heart' on $(wc -l <before) drawings: $(paste before after | awk -F'\t' '$1 != $2' | wc -l) labels change," \
        "$(grep -c '^red heart$' before) are 'red heart' before, $(grep -c '^red heart$' after) after"
}

# The whole pipe from exec (the second of two runs, so the weights are in the page cache), and pictures embedded a second.
speed() {
    local start end
    for _ in 1 2; do
        start=$(date +%s.%N)
        echo 'a red apple' | clip-tok | clip-embed | prior | decode64 | upsample | image-out -o apple.png
        end=$(date +%s.%N)
    done
    say "$(awk "BEGIN { printf \"a sentence to a picture of 256 pixels, from exec: %.2f s\", $end - $start }")"
    start=$(date +%s.%N)
    clip-embed --only image "$SCENES"/*.png "$SCENES"/*.png "$SCENES"/*.png >/dev/null
    end=$(date +%s.%N)
    say "$(awk "BEGIN { printf \"CLIP embeddings of 64-pixel PNG files: %.0f a second\", 3 * $(ls "$SCENES"/*.png | wc -l) / ($end - $start) }")"
}

for part in "${@:-text conditions sheets inversion variations pca attack speed}"; do
    for p in $part; do
        say "# $p"
        began=$SECONDS
        "$p"
        say "  ($((SECONDS - began)) s)"
    done
done
