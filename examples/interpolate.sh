#!/bin/sh
# interpolate.sh FROM TO [FRAMES [FILE]]: interpolate between two pictures, on one sheet.
#
# Embeddings and inverted noises are interpolated together (slerp), so that the first and last frame show the two pictures.
# The model is $UNCLIP_MODEL, or the small one in the box; it needs both towers of a CLIP, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
export UNCLIP_MODEL="${UNCLIP_MODEL:-box}"
to=${2:?usage: interpolate.sh FROM TO [FRAMES [FILE]]}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
clip-embed "$1" | ddim-invert >"$tmp/from"
clip-embed "$to" | ddim-invert >"$tmp/to"
embed-mix slerp --frames "${3:-5}" "$tmp/from" "$tmp/to" | decode64 | upsample |
    image-out --sheet="${3:-5}" -o "${4:-interpolate.png}"
