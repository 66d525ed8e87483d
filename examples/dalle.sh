#!/bin/sh
# dalle.sh: a sentence becomes picture tokens, these become pictures, and CLIP chooses the best.
#
# usage: dalle.sh [-n CANDIDATES] [-k BEST] 'a sentence' OUT.png
#
# $UNCLIP_MODEL names the models: a CLIP, a transformer (DALL-E mini, ruDALL-E, minDALL-E) and an autoencoder, separated
# by colons.
set -eu
n=16 k=4
while getopts n:k: o; do
    case $o in
    n) n=$OPTARG ;;
    k) k=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# = 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
printf '%s\n' "$1" | clip-tok | clip-embed | dalle -n "$n" | vq -d | clip-embed | rank -k "$k" | image-out --sheet -o "$2"
