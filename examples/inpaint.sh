#!/bin/sh
# inpaint.sh PICTURE FILE BOX TEXT [BOX TEXT ...]: paint a part of a picture anew, then another part of the result, and so on.
#
# PICTURE is first cut to its central square and resized to SIDE pixels, 256, the side of the model's pictures.  BOX is
# X,Y,WIDTH,HEIGHT in these pixels.  TEXT says what is painted.  What lies in no box stays as it is.  FILE shows the picture
# after each step.  For example:
#
#       inpaint.sh house.png edited.png 176,0,80,80 'a yellow sun' 0,110,60,146 'a green tree'
#
# Each step draws CANDIDATES pictures, 4, and keeps the one that fits TEXT best.  The model is the small one or
# $UNCLIP_MODEL; it needs both towers of a CLIP, a prior, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
usage='usage: inpaint.sh PICTURE FILE BOX TEXT [BOX TEXT ...]'
picture=${1:?$usage} file=${2:?$usage}
: "${4:?$usage}"
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
clip-embed --keep-image="${SIDE:-256}" "$picture" | tee "$tmp/steps" | image-out -o "$tmp/now.png"
while [ $# -ge 2 ]; do
    echo "$2" | clip-tok | clip-embed | prior -n "${CANDIDATES:-4}" |
        decode64 -g "${GUIDANCE:-3}" --source "$tmp/now.png" --erase "$1" | upsample | clip-embed | rank -k 1 >"$tmp/step"
    image-out -o "$tmp/now.png" "$tmp/step"
    cat "$tmp/step" >>"$tmp/steps"
    shift 2
done
image-out --sheet=9 -o "$file" "$tmp/steps"
