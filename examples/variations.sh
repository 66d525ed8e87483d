#!/bin/sh
# variations.sh PICTURE [N [ETA [FILE]]]: draw N variations of a picture on one sheet.
#
# The picture is inverted to the noise that the decoder makes it from.  ETA, 0 to 1, says how far the variations leave the
# picture; 0 gives the picture itself.  The model is $UNCLIP_MODEL, or the small one in the box; it needs both towers of a CLIP, a
# decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
export UNCLIP_MODEL="${UNCLIP_MODEL:-box}"
picture=${1:?usage: variations.sh PICTURE [N [ETA [FILE]]]}
clip-embed "$picture" | ddim-invert | decode64 --eta "${3:-0.5}" -n "${2:-6}" | upsample |
    image-out --sheet="${2:-6}" -o "${4:-variations.png}"
