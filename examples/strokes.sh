#!/bin/sh
# strokes.sh: draw twelve of the demo's things in strokes, with the model in the box, and let its CLIP name each drawing
# among the demo's labels.
#
# usage: strokes.sh [-s STROKES] [-i ITERATIONS] SHEET.jpg
#
# Prints text, label and probability of each drawing, and how many labels are right.  With the defaults a drawing takes half
# a minute of processor time.
set -eu
strokes=256 iterations=250
while getopts s:i: o; do
    case $o in
    s) strokes=$OPTARG ;;
    i) iterations=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
labels=$(dirname "$0")/emoji/demo/labels.txt
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export UNCLIP_MODEL=box
for thing in banana 'cat face' 'crescent moon' fish 'green apple' house 'ice cream' mushroom 'red heart' snowman star tulip; do
    echo "a $thing"
done | clip-tok | clip-embed | clip-draw --u8 --strokes "$strokes" --iterations "$iterations" -o "$dir/drawn"
image-out --sheet=6 -o "$1" "$dir/drawn"
clip-embed <"$dir/drawn" | rank --labels "$labels" --tsv --columns id,label,prob >"$dir/named"
cat "$dir/named"
awk -F '\t' '$1 == "a " $2 { right++ } END { printf "%d of %d named rightly\n", right, NR }' "$dir/named"
