#!/bin/sh
# rerank-candidates.sh PROMPTS [N [PATTERN]]: for each line of PROMPTS the best of N pictures, by what they show.
#
# The model: the one in the box, or $UNCLIP_MODEL, with a CLIP of both towers, a prior, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
prompts=${1:?usage: rerank-candidates.sh PROMPTS [N [PATTERN]]}
clip-tok -f "$prompts" | clip-embed | prior -n "${2:-4}" | decode64 | upsample | clip-embed | rank -k 1 |
    image-out -o "${3:-best-%d.png}"
