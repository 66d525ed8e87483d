#!/bin/sh
# rerank-candidates.sh PROMPTS [N [PATTERN]]: draw N pictures for each line of PROMPTS, and keep the one that fits it best.
#
# The model is $UNCLIP_MODEL, or the small one in the box; it needs both towers of a CLIP, a prior, a decoder and upsamplers.
set -eu
PATH=${BIN:-$(dirname "$0")/../build/bin}:$PATH
export UNCLIP_MODEL="${UNCLIP_MODEL:-box}"
prompts=${1:?usage: rerank-candidates.sh PROMPTS [N [PATTERN]]}
clip-tok -f "$prompts" | clip-embed | prior -n "${2:-4}" | decode64 | upsample | clip-embed | rank -k 1 |
    image-out -o "${3:-best-%d.png}"
