#!/bin/sh
# The main job on real input: a folder of pictures is classified, then ranked by a sentence.
# Each command is printed as a user would type it, then run.
set -eu
BIN=${BIN:-build/bin}
PATH=$BIN:$PATH
export PATH
cd "$(dirname "$0")/.."
mkdir -p demo

show() {
    printf '\n$ %s\n' "$1"
    sh -c "$1"
}

echo "unclip: CLIP from the shell, with the small model in the box (examples/emoji)"
show "clip-embed examples/emoji/demo/*.png > demo/pictures.clip"
show "rank --labels examples/emoji/demo/labels.txt --tsv < demo/pictures.clip"
show "rank --text 'a red heart' -k 3 --tsv < demo/pictures.clip"
show "rank --text 'a yellow fruit' -k 3 --tsv < demo/pictures.clip"
show "record-json --info < demo/pictures.clip"
