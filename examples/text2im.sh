#!/bin/sh
# text2im.sh TEXT [FILE]: a picture of a sentence.
#
# The model is the one in the box, or $UNCLIP_MODEL, which must have a prior, a decoder and upsamplers: Karlo's folder as
# it is downloaded.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
text=${1:?usage: text2im.sh TEXT [FILE]}
echo "$text" | clip-tok | clip-embed | prior | decode64 | upsample | image-out -o "${2:-text2im.png}"
