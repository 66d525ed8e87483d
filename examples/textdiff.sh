#!/bin/sh
# textdiff.sh PICTURE OLD NEW [FRAMES [FILE]]: change a picture by the difference between the texts OLD and NEW.
#
# All frames start from the noise of the picture; theta goes from 0 to 0.5.  The model is $UNCLIP_MODEL, or the small one in
# the box; it needs both towers of a CLIP, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
export UNCLIP_MODEL="${UNCLIP_MODEL:-box}"
new=${3:?usage: textdiff.sh PICTURE OLD NEW [FRAMES [FILE]]}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
clip-embed "$1" | ddim-invert >"$tmp/picture"
echo "$2" | clip-tok | clip-embed >"$tmp/old"
echo "$new" | clip-tok | clip-embed >"$tmp/new"
embed-mix diff --frames "${4:-5}" "$tmp/picture" "$tmp/new" "$tmp/old" | decode64 | upsample |
    image-out --sheet="${4:-5}" -o "${5:-textdiff.png}"
