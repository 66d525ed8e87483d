#!/bin/sh
# heads.sh AESTHETIC IMPROVED - LAION's published heads give the scores that PyTorch gives
#
# AESTHETIC and IMPROVED are checkouts of LAION-AI/aesthetic-predictor (@6d122ad) and christophschuhmann/improved-aesthetic-predictor
# (@6934dd8), which hold their files.  The scores are those of the ten vectors in AESTHETIC, which are embeddings of "rating 0"
# to "rating 9"; the first and the last stand below.  BIN (build/bin) is taken from the environment.  Prints TAP.
set -u

BIN=${BIN:-build/bin}
aesthetic=$1 improved=$2
n=0 bad=0

# head FILE WIDTH FIRST LAST
head() {
    for rating in 0 9; do
        n=$((n + 1))
        case $rating in 0) want=$3 ;; *) want=$4 ;; esac
        got=$("$BIN/record-json" --from-npy "image_embed=$aesthetic/$2/rating$rating.npy" | "$BIN/probe" -q --head "$1" --normalise --tsv | cut -f 2)
        if awk -v got="$got" -v want="$want" 'BEGIN { d = got - want; exit !(got != "" && d < 6e-5 && d > -6e-5) }'; then
            echo "ok $n - ${1##*/}, rating $rating: $got"
        else
            echo "not ok $n - ${1##*/}, rating $rating: $got, not $want"
            bad=1
        fi
    done
}
head "$aesthetic/sa_0_4_vit_b_32_linear.pth" vit_b_32_embeddings -1.46995 11.00558
head "$aesthetic/sa_0_4_vit_l_14_linear.pth" vit_l_14_embeddings -2.45791 11.30443
head "$improved/sac+logos+ava1-l14-linearMSE.pth" vit_l_14_embeddings 1.6555 5.7468
head "$improved/ava+logos-l14-linearMSE.pth" vit_l_14_embeddings 4.5126 5.2664
echo "1..$n"
exit $bad
