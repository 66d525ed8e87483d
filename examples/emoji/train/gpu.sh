#!/bin/bash
# gpu.sh PACK OUT [--seconds N] [--parts LIST] [--work DIR] [--small]: the recipe for one NVIDIA GPU and no network.
#
# PACK is what pack.py wrote.  Needs Python with PyTorch, numpy, Pillow, safetensors and regex; of examples/emoji the folders train,
# tokenizer, text_encoder, image_encoder and those of the parts that are trained.  Everything starts from the weights in there.
#   --seconds N   when all is to be done, 480 unless given: the last 45 s are for writing
#   --parts LIST  of: decoder prior upsampler vq dalle ar_prior noised_clip glide; the first two unless given.  They learn side by side; vq,
#                 noised_clip and upsampler have the first two fifths of the time, dalle and glide the rest; ar_prior waits for what prior has painted
#   --compiled DIR  where compiled kernels are kept for another run on the same kind of GPU
#   --work DIR    checkpoints, kept; started again with the same DIR, a run goes on (a fresh folder unless given)
#   --small       for a test of a minute on a CPU: few things, batches of 4
# Every minute and at the end OUT gets part-00, part-01 ... of 15 MiB, at most eight: averaged weights in float16 and sheets of
# samples.  Back home, `cat OUT/part-* | tar x -C DIR` leaves the folders of the parts, and the sheets and logs under DIR/log.
set -euo pipefail
usage='usage: gpu.sh PACK OUT [--seconds N] [--parts LIST] [--work DIR] [--small]'
pack=$(realpath "${1:?$usage}") out=${2:?$usage}
shift 2
seconds=480 parts='decoder prior' work='' small=
while [ $# -gt 0 ]; do
    case $1 in
        --seconds) seconds=$2; shift ;;
        --parts) parts=$2; shift ;;
        --work) work=$2; shift ;;
        --compiled) export TORCHINDUCTOR_CACHE_DIR=$2; shift ;;
        --small) small=1 ;;
        *) echo "$usage" >&2; exit 2 ;;
    esac
    shift
done
began=$(date +%s)
here=$(cd "$(dirname "$0")" && pwd)
emoji=$(dirname "$here")
mkdir -p "$out"
out=$(realpath "$out")
work=${work:-$(mktemp -d)}
mkdir -p "$work"
work=$(realpath "$work")
py=${PYTHON:-python3}
export PYTHONUNBUFFERED=1
cd "$work"
[ -s cache/train.json ] || "$py" "$here/pack.py" --unpack "$pack" cache
until=$((began + seconds - 45))
if [ -n "$small" ]; then
    until=$((began + seconds - 20))
    decoder='--batch 4 --chosen 1 --styles 1 --shown 2 --warm 2'
    prior='--batch 16 --chosen 1 --styles 1 --pool 400 --warm 2'
    upsampler='--batch 3 --warm 2'
    vq='--batch 2 --chosen 1 --shown 2 --warm 2'
    dalle='--batch 2 --chosen 1 --shown 1 --pool 200 --warm 2'
    ar_prior='--batch 8 --warm 2'
    noised_clip='--batch 8 --chosen 1 --warm 2'
    glide='--batch 2 --chosen 1 --shown 2 --warm 2'
    often='--save 5 --sheet 1'
else
    # batches that fill the memory: a sample of the decoder takes some 40 MB, all else together less than 34 GB
    memory=$("$py" -c 'import torch; print(torch.cuda.mem_get_info()[0] >> 20 if torch.cuda.is_available() else 0)')
    batch=$(( (memory - 34000) / 40 ))
    batch=$(( batch > 768 ? 768 : batch < 64 ? 64 : batch / 64 * 64 ))
    # can this machine compile?
    compile=$("$py" -c 'import torch; f = torch.compile(lambda x: (x * x).sum()); f(torch.ones(8, device="cuda")); print(1)' 2>/dev/null || echo 0)
    decoder="--batch $batch --workers 3 --compile $compile --lr 1e-3 --muon 3e-3 --favour 0.1"
    prior='--batch 1024 --pool 100000'
    upsampler='--batch 128 --workers 4 --to 0'
    vq="--batch 128 --workers 1 --compile $compile --styles 1"
    dalle="--batch 256 --workers 3 --pool 100000 --compile $compile --styles 1"
    ar_prior='--batch 512'
    noised_clip='--batch 512 --workers 1'
    glide="--batch 256 --workers 2 --compile $compile"
    often='--save 45 --sheet 1'
    echo "memory $memory MB, decoder: batches of $batch, compiled: $compile"
fi

train() { # PART FOLDER ARGUMENT ...
    local part=$1 stop=$until early=$((began + (until - began) * 2 / 5))
    shift
    case $part in
        vq | noised_clip | upsampler) stop=$early ;;
        dalle) until [ -s vq/done.json ]; do sleep 1; done ;;
        glide) while [ "$(date +%s)" -lt "$early" ]; do sleep 1; done ;;
        ar_prior) until [ -s prior/last.pt ]; do sleep 1; done ;;
    esac
    # shellcheck disable=SC2086
    exec "$py" "$here/train_$part.py" cache "$@" "$part" $often --until "$stop" ${!part} >"$part.log" 2>&1
}
running=()
for part in $parts; do
    case $part in
        decoder | prior) train $part "$emoji" --weights "$emoji" & ;;
        upsampler) train $part --weights "$emoji" & ;;
        vq) train $part & ;;
        glide) train $part --weights "$emoji/glide" & ;;
        dalle) train dalle vq/last.pt & ;;
        ar_prior) train ar_prior "$emoji" prior & ;;
        noised_clip) train noised_clip "$emoji" & ;;
        *) echo "gpu.sh: no part $part" >&2; exit 2 ;;
    esac
    running+=($!)
done
trap 'kill "${running[@]}" 2>/dev/null || true' EXIT

# What there is so far, as files of 15 MiB.
deliver() {
    local given=() coded=() part
    rm -rf new
    mkdir -p new/log
    for part in $parts; do
        [ -s "$part/last.pt" ] || continue
        case $part in
            decoder | prior | upsampler) given+=("--$part" "$part/last.pt") ;;
            vq) coded+=(--vq vq/last.pt) ;;
            dalle) coded+=(--dalle dalle) ;;
            *) [ ! -d "$part/$part" ] || cp -r "$part/$part" new/ ;; # written when it ends
        esac
    done
    [ ${#coded[@]} -eq 0 ] || CUDA_VISIBLE_DEVICES='' "$py" "$here/export_dalle.py" new "${coded[@]}" >export.log 2>&1 || { cat export.log; return 0; }
    [ ${#given[@]} -eq 0 ] || OMP_NUM_THREADS=2 CUDA_VISIBLE_DEVICES='' "$py" "$here/export_unclip.py" new "${given[@]}" --unchecked >export.log 2>&1 || { cat export.log; return 0; }
    rm -rf new/super_res_last new/*_scheduler new/model_index.json # the first once more, and what never changes
    for part in $parts; do
        cp "$part.log" new/log/ 2>/dev/null || true
        cp "$part/loss.tsv" "new/log/$part.tsv" 2>/dev/null || true
        ls "$part"/sheet-*.png 2>/dev/null | tail -n 6 | while read -r f; do cp "$f" "new/log/$part-$(basename "$f")"; done || true
    done
    rm -rf cut
    mkdir cut
    tar c -C new . | split -b 15M -d - cut/part-
    [ "$(ls cut | wc -l)" -le 8 ] || { echo "gpu.sh: more than eight files" >&2; return 0; }
    rm -f "$out"/part-*
    cp cut/part-* "$out"
}

last=$began alive=1
while [ -n "$alive" ]; do
    sleep 2
    alive=
    for pid in "${running[@]}"; do kill -0 "$pid" 2>/dev/null && alive=1; done
    now=$(date +%s)
    if [ $((now - last)) -ge 60 ] && [ $now -lt $((until - 20)) ]; then
        deliver
        last=$now
        tail -qn 1 ./*.log
    fi
    [ "$now" -lt $((until + 30)) ] || break # one that does not stop by itself
done
failed=0
for k in "${!running[@]}"; do
    kill "${running[$k]}" 2>/dev/null || true
    wait "${running[$k]}" || { failed=1; echo "gpu.sh: a part ended badly"; tail -n 5 ./*.log; }
done
deliver
ls -l "$out"
echo "done in $(($(date +%s) - began)) s"
exit $failed
