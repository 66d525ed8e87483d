#!/bin/sh
# variations.sh PICTURE [N [ETA [FILE]]]: N variations of a picture on one sheet.
#
# The picture is inverted to the noise that it comes from; ETA, 0 to 1, says how far to leave it: 0 brings the picture
# back.  The model: the one in the box, or $UNCLIP_MODEL, with a CLIP of both towers, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
picture=${1:?usage: variations.sh PICTURE [N [ETA [FILE]]]}
clip-embed "$picture" | ddim-invert | decode64 --eta "${3:-0.5}" -n "${2:-6}" | upsample |
    image-out --sheet="${2:-6}" -o "${4:-variations.png}"
