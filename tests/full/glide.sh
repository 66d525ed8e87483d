#!/bin/sh
# glide.sh [-c GLIDE_TEXT2IM] - run GLIDE at full size, with random weights
#
# Prints seconds a step and the largest resident memory in MiB for decode64 (guidance: two rows a step) and upsample (64 to
# 256 pixels), in bf16 and f32: elapsed time, and the time of all processors together, which is the reliable figure on a busy
# machine.  A step is the difference between a run of three steps and a run of one.  -c also runs the same steps of the
# reference, a checkout of openai/glide-text2im (tests/full/glide_torch.py; needs torch, safetensors and PYTHON).
# The files take 1.7 GB in TMPDIR.  THREADS (2), PYTHON (python3) and B (build) are taken from the environment.
set -eu

B=${B:-build}
threads=${THREADS:-2}
here=$(dirname "$0")
reference=
if [ "${1-}" = -c ]; then
    reference=$2
fi
${MAKE:-make} -s B="$B" all "$B/tests/make_glide" "$B/tests/used"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
"$B/tests/make_glide" -d mix "$dir" base upsample
cp "$here/../golden/glide/vocab.bpe" "$dir"
echo 'an oil painting of a corgi' | "$B/bin/clip-tok" -m "$dir" >"$dir/text.clip"
"$B/bin/decode64" -q -m "$dir" --cache none --steps 1 "$dir/text.clip" >"$dir/small.clip"

printf '| stage | kernel | s a step: clock | cpu | MiB |\n|---|---|---:|---:|---:|\n'
stage() {
    for p in bf16 f32; do
        for n in 1 3; do
            "$B/tests/used" "$B/bin/$1" -q -m "$dir" --cache none -j "$threads" --precision $p --steps $n -o /dev/null "$2"
        done | awk -v what="$1" -v p=$p '
            { clock[NR] = $1; cpu[NR] = $2; mib = $3 }
            END { printf "| %s | %s | %.2f | %.2f | %d |\n", what, p, (clock[2] - clock[1]) / 2, (cpu[2] - cpu[1]) / 2, mib }'
    done
}
stage decode64 "$dir/text.clip"
stage upsample "$dir/small.clip"
[ -z "$reference" ] || "${PYTHON:-python3}" "$here/glide_torch.py" "$reference" "$dir" "$threads"
