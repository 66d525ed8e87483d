#!/bin/sh
# text2im.sh TEXT [FILE]: draw a picture for a sentence.
#
# The model is $UNCLIP_MODEL, for example Karlo's directory as it is downloaded, or the small one in the box.  It needs a
# text tower, a prior, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
export UNCLIP_MODEL="${UNCLIP_MODEL:-box}"
text=${1:?usage: text2im.sh TEXT [FILE]}
echo "$text" | clip-tok | clip-embed | prior | decode64 | upsample | image-out -o "${2:-text2im.png}"
