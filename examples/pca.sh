#!/bin/sh
# pca.sh PICTURE FILE...: a picture as the first components of its embedding show it, from few to many, on pca.png.
#
# The components are those of the pictures FILE...; all reconstructions start from one noise.  The model:
# the one in the box, or $UNCLIP_MODEL, with a CLIP of both towers, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
picture=${1:?usage: pca.sh PICTURE FILE...}
shift
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
clip-embed "$@" | embed-mix pca-fit -o "$tmp/pca"
clip-embed "$picture" | embed-mix pca-reconstruct --pca "$tmp/pca" --counts "${COUNTS:-20,30,40,80,120,160,200,320}" |
    decode64 --ddim | upsample | image-out --sheet -o "${OUT:-pca.png}"
