#!/bin/bash
# compare_priors.sh POOL OUT: the paper's comparison of priors, with the model in the box and its autoregressive prior.
#
# The captions are of scenes that no prior has learned from (POOL/pool.pt, made by train_prior.py).  Two tables go to standard output: what
# the priors' embeddings are worth, and what the decoder's pictures are worth that are drawn from them, all from the same noise.  The judge is
# the CLIP of the box.  OUT/sheet.png shows the pictures, a condition a row.
#   N       captions (100)
#   BIN     unclip's programs; the default is build/bin
#   AR      folder of the autoregressive prior; the default is the one in the box
#   PICTURES   empty: only the first table
#   G, H    guidance of the diffusion prior (2.5) and of the autoregressive prior (1)
set -euo pipefail
usage='usage: compare_priors.sh POOL OUT'
pool=$(realpath "${1:?$usage}") out=${2:?$usage}
here=$(cd "$(dirname "$0")" && pwd)
box=$(realpath "$here/..")
PATH=$(realpath "${BIN:-$here/../../../build/bin}"):$PATH
py=${PYTHON:-python3} n=${N:-100} g=${G:-2.5} h=${H:-1} ar=$(realpath "${AR:-$here/../ar_prior}")
mkdir -p "$out"
cd "$out"
score() { record-json --arrays | "$py" "$here/eval_prior.py" score . "$1"; }
ar_prior() { prior -m "$ar" -m "$box" -g "$h" "$@"; }

[ -s truth.npy ] || "$py" "$here/eval_prior.py" captions "$pool" "$box" "$n" .
clip-tok -f captions | clip-embed -m "$box" >texts.clip
echo "| embedding | cosine to the true picture's | nearest is its own | among five | cosine to the text |"
echo '|---|---|---|---|---|'
record-json --arrays texts.clip | jq -c '.data.image_embed = .data.text_embed' | "$py" "$here/eval_prior.py" score . 'the text embedding in its place'
prior -m "$box" -g "$g" texts.clip >diffusion.clip
score 'diffusion prior' <diffusion.clip
prior -m "$box" -g "$g" --best-of 2 texts.clip >diffusion2.clip
score 'diffusion prior, --best-of 2' <diffusion2.clip
ar_prior texts.clip >ar.clip
score 'autoregressive prior' <ar.clip
ar_prior --best-of 2 texts.clip >ar2.clip
score 'autoregressive prior, --best-of 2' <ar2.clip
[ -z "${PICTURES-1}" ] && exit
echo
echo "| picture drawn from | cosine to the true picture's | nearest is its own | among five | cosine to the text |"
echo '|---|---|---|---|---|'
draw() { # NAME STREAM OPTION ...
    local name=$1 in=$2
    shift 2
    decode64 -m "$box" -g 3 --steps 12 --noise-id same "$@" "$in.clip" | clip-embed -m "$box" >"$in-drawn.clip"
    score "$name" <"$in-drawn.clip"
}
cp texts.clip none.clip
draw 'the caption alone' none --embed none
draw 'the text embedding in its place' texts --embed text
draw 'diffusion prior' diffusion
draw 'autoregressive prior' ar
for f in none texts diffusion ar; do record-json $f-drawn.clip | awk 'NR % 8 == 1 && n++ < 12' | record-json --from-json; done |
    image-out --sheet=12 --caption none -o sheet.png
