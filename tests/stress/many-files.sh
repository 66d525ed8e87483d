#!/bin/sh
# many-files.sh: embed a directory of N files, of which 1 % are broken, with a FIFO, a directory, a name with a
# newline and a name that is not UTF-8.  All good files must be embedded and the others named, the status must be
# 1, and the peak of memory must equal that of a tenth of the files.
#
# usage: BIN=build/bin tests/stress/many-files.sh [N]        (10000; needs GNU time and python3)
set -eu
BIN=$(cd "${BIN:-build/bin}" && pwd)
N=${1:-10000}
SRC=$(cd "$(dirname "$0")/../golden" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir model
cp "$SRC/clip/micro_hf.safetensors" model/model.safetensors
cp "$SRC/clip/micro_hf_config.json" model/config.json
export UNCLIP_MODEL="$dir/model" UNCLIP_CACHE=none

# big.jpg: a picture of some megapixels, so that a leak would show
python3 - "$SRC/images" "$N" <<'PY'
import os, sys
src, n = sys.argv[1], int(sys.argv[2])
names = [f for f in sorted(os.listdir(src)) if not f.endswith((".avif", ".webp"))]
data = {f: open(os.path.join(src, f), "rb").read() for f in names}
big = b"P6 1500 1000 255\n" + bytes(range(250)) * 18000
for folder, count in (("few", n // 10), ("many", n)):
    os.mkdir(folder)
    for i in range(count):
        f = names[i % len(names)]
        bad = i % 100 == 99
        body = big if i % 10 == 7 else data[f]
        with open(f"{folder}/{i:06d}-{f}", "wb") as o:
            o.write(body[: len(body) // 2] if bad else body)
    open(os.fsencode(folder) + b"/new\nline.png", "wb").write(data["rgb.png"])
    open(os.fsencode(folder) + b"/latin\xe9.png", "wb").write(data["rgb.png"])
    os.mkdir(folder + "/folder.png")
    os.mkfifo(folder + "/fifo.png")
PY

# The peak of resident memory in kB goes to $1.rss; status, records and messages are checked.
run() {
    want=$2
    status=0
    find "$1" -mindepth 1 -maxdepth 1 -print0 | sort -z |
        command time -f %M -o "$1.rss" "$BIN/clip-embed" -q --files0-from=- >"$1.out" 2>"$1.err" || status=$?
    good=$((want - want / 100 + 2))
    bad=$((want / 100 + 2))
    records=$(python3 -c '
import sys
data, n = open(sys.argv[1], "rb").read(), 0
print(data.count(b"\x83\xa6unclip\x01\xa2id"))' "$1.out")
    told=$(wc -l <"$1.err")
    rss=$(tail -n 1 "$1.rss")
    echo "$1: status $status, $records records of $good, $told messages of $bad, peak $rss kB"
    [ "$status" = 1 ] && [ "$records" = "$good" ] && [ "$told" = "$bad" ]
}

run few $((N / 10))
run many "$N"
few=$(tail -n 1 few.rss)
many=$(tail -n 1 many.rss)
if [ "$many" -gt $((few + few / 5)) ]; then
    echo "memory grows with the number of files"
    exit 1
fi
echo "memory is flat"
