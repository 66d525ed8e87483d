#!/bin/sh
# text2im.sh TEXT [FILE]: draw a picture for a sentence.
#
# The model is the small one or $UNCLIP_MODEL, for example Karlo's directory as it is downloaded; it needs a text tower, a
# prior, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
text=${1:?usage: text2im.sh TEXT [FILE]}
echo "$text" | clip-tok | clip-embed | prior | decode64 | upsample | image-out -o "${2:-text2im.png}"
