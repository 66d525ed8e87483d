#!/bin/sh
# all_models.sh [-c] [MODEL ...] - run every published CLIP at full size, with random weights
#
# Prints a table: milliseconds for one image and one text (full length), alone and in a batch of 8, as elapsed time
# and as the time of all processors together (the reliable figure on a busy machine), and the largest resident memory
# in MiB, mapped weights included.  The models are written, run and removed one after another: the disk needs room for
# the largest (ViT-H-14: 4 GB).
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
    "$B/tests/clip_run" $opts -b "$2" -r "$3" "$1" "$dir/$model"
}

printf '| model | kernel | image: clock | cpu | of 8: clock | cpu | memory | text: clock | cpu | of 8: clock | cpu | memory |\n'
printf '|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n'
for model; do
    dtype=mix
    [ "$model" != ViT-H-14 ] || dtype=f32
    mkdir "$dir/$model"
    "$B/tests/make_model" -d $dtype -l openclip "$model" "$dir/$model"
    {
        run image 1 3
        run image 8 1
        run text 1 3
        run text 8 1
    } | awk -v model="$model" '
        { ms[NR] = $6; cpu[NR] = $7; if ($8 > top[$1]) top[$1] = $8; kernel = $2 }
        END {
            printf "| %s | %s ", model, kernel
            for (i = 1; i <= 4; i += 2)
                printf "| %.1f | %.1f | %.1f | %.1f | %d ", ms[i], cpu[i], ms[i + 1], cpu[i + 1],
                    top[i == 1 ? "image" : "text"]
            print "|"
        }'
    # shellcheck disable=SC2086
    [ -z "$compare" ] || "$(dirname "$0")/compare.py" "$B/tests/clip_run" "$dir/$model" $opts >&2
    rm -rf "${dir:?}/$model"
done
