#!/bin/sh
# typographic.sh PICTURE TEXT [LABELS [FILE]]: a typographic attack, and what the decoder makes of it.
#
# Prints the three best labels of PICTURE as it is, and with TEXT written on it.  FILE becomes a sheet: the picture and five
# variations from its embedding alone, then the same for the picture with TEXT.  Below each is its best label.  LABELS has a
# label a line.  The model is the small one or $UNCLIP_MODEL; it needs both towers of a CLIP, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
text=${2:?usage: typographic.sh PICTURE TEXT [LABELS [FILE]]}
labels=${3:-$(dirname "$0")/emoji/demo/labels.txt}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
clip-embed --overlay '' --overlay "$text" "$1" | rank --labels "$labels" -k 3 --tsv
for t in '' "$text"; do
    clip-embed --keep-image=256 --overlay "$t" "$1" >"$tmp/picture"
    decode64 -n 5 "$tmp/picture" | upsample >"$tmp/variations"
    cat "$tmp/picture" "$tmp/variations"
done | clip-embed | rank --labels "$labels" | image-out --sheet=6 --caption label,prob -o "${4:-typographic.png}"
