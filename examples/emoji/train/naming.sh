#!/bin/bash
# naming.sh MODEL OUT [PROMPTS]: the blind sheet: what the model draws for each prompt, numbered, without a word.
#
# PROMPTS is naming.txt unless it is given; kept.txt holds twelve that nothing was tuned on.  The best of four by the model's
# own CLIP.  OUT/NAME.png is the sheet, OUT/NAME.tsv what an answer is held against: cell, prompt, cosine by that CLIP.
# Somebody who has seen neither the prompts nor this program names each cell; somebody else judges the pairs.
#   BIN   unclip's programs; the default is build/bin
#   SEED  the seed, 0 unless given;  PRIOR, DECODE  options for prior and decode64
set -euo pipefail
usage='usage: naming.sh MODEL OUT [PROMPTS]'
here=$(cd "$(dirname "$0")" && pwd)
model=$(realpath "${1:?$usage}") out=${2:?$usage} prompts=$(realpath "${3:-$here/naming.txt}")
PATH=$(realpath "${BIN:-$here/../../../build/bin}"):$PATH
export UNCLIP_MODEL=$model
seed=${SEED:-0}
name=$(basename "$prompts" .txt)
read -ra prior_with <<<"${PRIOR:--g 2.5}"
read -ra decode_with <<<"${DECODE:--g 3}"
mkdir -p "$out"
cd "$out"

clip-tok -f "$prompts" | clip-embed | prior -q -s "$seed" "${prior_with[@]}" -n 4 | decode64 -q -s "$seed" "${decode_with[@]}" | clip-embed >"$name.four"
rank -k 1 "$name.four" >"$name.best"
upsample -q -s "$seed" "$name.best" >"$name.clip"
image-out --sheet=8 --caption none -o "$name.plain.png" "$name.clip"
record-json "$name.best" | jq -r '[input_line_number, .data.text, (.data.cos // "" | if type == "array" then .[0] else . end)] | @tsv' >"$name.tsv"
python3 - "$name.plain.png" "$name.png" "$(wc -l <"$name.tsv")" <<'END'
import sys
from PIL import Image, ImageDraw, ImageFont
sheet, out, n = Image.open(sys.argv[1]).convert("RGB"), sys.argv[2], int(sys.argv[3])
cell, rows = sheet.width // 8, -(-n // 8)
high = sheet.height // rows
new = Image.new("RGB", (8 * 160, rows * 184), "white")
pen, font = ImageDraw.Draw(new), ImageFont.load_default(16)
for k in range(n):
    x, y = k % 8, k // 8
    part = sheet.crop((x * cell, y * high, x * cell + cell, y * high + high)).resize((152, 152 * high // cell))
    new.paste(part, (x * 160 + 4, y * 184 + 26))
    pen.text((x * 160 + 6, y * 184 + 4), str(k + 1), fill="black", font=font)
new.save(out)
END
rm "$name.plain.png"
