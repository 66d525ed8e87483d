#!/bin/sh
# interpolate.sh FROM TO [FRAMES [FILE]]: the way from one picture to another, on one sheet.
#
# Embeddings and inverted noises are turned together (slerp), so that the ends are the pictures themselves.
# The model: the one in the box, or $UNCLIP_MODEL, with a CLIP of both towers, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
to=${2:?usage: interpolate.sh FROM TO [FRAMES [FILE]]}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
clip-embed "$1" | ddim-invert >"$tmp/from"
clip-embed "$to" | ddim-invert >"$tmp/to"
embed-mix slerp --frames "${3:-5}" "$tmp/from" "$tmp/to" | decode64 | upsample |
    image-out --sheet="${3:-5}" -o "${4:-interpolate.png}"
