#!/bin/sh
# pca.sh PICTURE FILE...: draw a picture from the first principal components of its embedding, from few to many, on pca.png.
#
# The components are those of the pictures FILE...  All reconstructions start from one noise.  COUNTS gives the numbers of
# components, separated by commas, and OUT another file.  The model is $UNCLIP_MODEL, or the small one in the box; it needs
# both towers of a CLIP, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
export UNCLIP_MODEL="${UNCLIP_MODEL:-box}"
picture=${1:?usage: pca.sh PICTURE FILE...}
shift
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
clip-embed "$@" | embed-mix pca-fit -o "$tmp/pca"
clip-embed "$picture" | embed-mix pca-reconstruct --pca "$tmp/pca" --counts "${COUNTS:-20,30,40,80,120,160,200,320}" |
    decode64 --ddim | upsample | image-out --sheet -o "${OUT:-pca.png}"
