#!/bin/sh
# strokes.sh: draw twelve of the demo's things in strokes, with the model in the box, and let its CLIP name each drawing
# among the demo's labels.
#
# usage: strokes.sh [-s STROKES] [-i ITERATIONS] SHEET.jpg
#
# Prints text, label and probability of each drawing, and how many labels are right.  With the defaults a drawing takes three
# quarters of a minute of processor time.
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
printf '%s\n' 'a banana' 'a cat face' 'a crescent moon' 'a fish' 'a green apple' 'a house' 'an ice cream' 'a mushroom' 'a red heart' \
    'a snowman' 'a star' 'a tulip' | clip-tok | clip-embed | clip-draw --u8 --strokes "$strokes" --iterations "$iterations" -o "$dir/drawn"
image-out --sheet=6 -o "$1" "$dir/drawn"
clip-embed <"$dir/drawn" | rank --labels "$labels" --tsv --columns id,label,prob >"$dir/named"
cat "$dir/named"
awk -F '\t' '{ thing = $1; sub(/^an? /, "", thing) } thing == $2 { right++ } END { printf "%d of %d named rightly\n", right, NR }' "$dir/named"
