#!/bin/sh
# all_models.sh [-c] [MODEL ...] - every published shape at full size, with random weights
#
# Prints a table: milliseconds for one image and one text (full length), alone and in a batch of
# 8, and the most memory that was resident (the mapped weights included) in MiB.  One model is
# written, run and removed at a time: the disk needs room for the largest (ViT-H-14: 4 GB).
# -c also compares each with PyTorch (tests/full/compare.py; needs torch and safetensors).
# THREADS (2), KERNEL (the fastest), PRECISION (f32), TMPDIR and B (build) are taken from the environment.
set -eu

B=${B:-build}
threads=${THREADS:-2}
opts="-j $threads -p ${PRECISION:-f32}${KERNEL:+ -k $KERNEL}"
compare=
if [ "${1-}" = -c ]; then
    compare=1
    shift
fi
[ $# -gt 0 ] || set -- RN50 RN101 RN50x4 RN50x16 RN50x64 ViT-B-32 ViT-B-16 ViT-L-14 ViT-L-14-336px ViT-H-14
${MAKE:-make} -s B="$B" "$B/tests/make_model" "$B/tests/clip_run"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

# run TOWER BATCH REPEATS: the fields of one line of clip_run
run() {
    # shellcheck disable=SC2086 # opts is several words
    "$B/tests/clip_run" $opts -b "$2" -r "$3" "$1" "$weights"
}

printf '| model | kernel | image, 1 | image, of 8 | memory | text, 1 | text, of 8 | memory |\n'
printf '|---|---|---:|---:|---:|---:|---:|---:|\n'
for model; do
    dtype=mix
    [ "$model" != ViT-H-14 ] || dtype=f32
    "$B/tests/make_model" -d $dtype -l openclip "$model" "$dir"
    weights=$dir/open_clip_model.safetensors
    {
        run image 1 5
        run image 8 3
        run text 1 9
        run text 8 5
    } | awk -v model="$model" '
        { ms[NR] = $6; if ($7 > top[$1]) top[$1] = $7; kernel = $2 }
        END {
            printf "| %s | %s | %.1f | %.1f | %d | %.1f | %.1f | %d |\n", model, kernel, ms[1], ms[2],
                top["image"], ms[3], ms[4], top["text"]
        }'
    # shellcheck disable=SC2086
    [ -z "$compare" ] || "$(dirname "$0")/compare.py" "$B/tests/clip_run" "$weights" $opts >&2
    rm -rf "${dir:?}"/*
done
