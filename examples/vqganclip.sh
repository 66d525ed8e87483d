#!/bin/sh
# vqganclip.sh: draw a sentence in the codes of a VQGAN, as VQGAN-CLIP does, or change a photo towards the sentence.
#
# usage: vqganclip.sh [-i ITERATIONS] [-p PHOTO] [-s WxH] VQGAN 'a sentence' OUT.png
set -eu
iterations=250 photo='' size=''
while getopts i:p:s: o; do
    case $o in
    i) iterations=$OPTARG ;;
    p) photo=$OPTARG ;;
    s) size=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# = 3 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
printf '%s\n' "$2" | clip-tok | clip-embed |
    clip-draw --canvas vqgan --vq "$1" --iterations "$iterations" ${photo:+"--init=$photo"} ${size:+"--size=$size"} |
    image-out --format=png -o "$3"
