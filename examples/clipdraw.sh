#!/bin/sh
# clipdraw.sh: draw a sentence in strokes, as an SVG file that a browser opens.
#
# usage: clipdraw.sh [-s STROKES] [-i ITERATIONS] [-b BEST_OF] 'a sentence' OUT.svg
set -eu
strokes=256 iterations=250 best=1
while getopts s:i:b: o; do
    case $o in
    s) strokes=$OPTARG ;;
    i) iterations=$OPTARG ;;
    b) best=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# = 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
printf '%s\n' "$1" | clip-tok | clip-embed |
    clip-draw --strokes "$strokes" --iterations "$iterations" --best-of "$best" | image-out --format=svg -o "$2"
