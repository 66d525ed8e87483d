#!/bin/sh
# ar_prior.sh - the autoregressive prior at the unCLIP paper's sizes, with random weights
#
# 24 layers of width 1664, 26 heads, 384 rows: 64 text states, the text embedding, the dot product and 319 codes, of which the last is not
# fed back.  Prints a table for one embedding and for sixteen of one text, without and with guidance: seconds until the results are written, loading
# from packed weights included, by the clock and of all processors together; the largest resident memory, and the memory of our own, which has no
# mapped weights in it.  The disk needs 5 GB.
# THREADS (2), KERNEL (the fastest), PRECISION (the default of prior), TMPDIR and B (build) are taken from the environment.
set -eu

B=${B:-build}
opts="-j ${THREADS:-2}${PRECISION:+ --precision $PRECISION}${KERNEL:+ --kernel $KERNEL}"
${MAKE:-make} -s B="$B" "$B/tests/make_karlo" "$B/bin/prior" "$B/bin/record-json"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

"$B/tests/make_karlo" -a "$dir/model" >&2
# a text of 64 states, and an empty one of 2
python3 - "$dir" <<'END'
import base64, json, struct, sys

def tensor(shape, f):
    n = shape[0] * shape[-1] if len(shape) == 2 else shape[0]
    return {"$nd": {"type": "<f4", "shape": shape, "data": base64.b64encode(struct.pack(f"<{n}f", *map(f, range(n)))).decode()}}

for n in (64, 2):
    data = {"text_embed": tensor([1024], lambda i: i * 7 % 13 / 13 - 0.5), "text_states": tensor([n, 1024], lambda i: i * 11 % 17 / 17 - 0.5)}
    with open(f"{sys.argv[1]}/{n}.json", "w") as f:
        json.dump({"unclip": 1, "id": f"text {n}", "data": data}, f)
END
for n in 64 2; do
    "$B/bin/record-json" --from-json <"$dir/$n.json" >"$dir/$n.clip"
done

# run OPTION ...: seconds by the clock and of all processors, resident MiB, MiB of our own
run() {
    # shellcheck disable=SC2086 # opts is several words
    /usr/bin/time -f '%e %U %S %M' -o "$dir/time" "$B/bin/prior" -v $opts --cache "$dir/cache" -m "$dir/model" "$@" -o "$dir/out" "$dir/64.clip" 2>"$dir/said" || { cat "$dir/said" >&2; exit 1; }
    own=$(sed -n 's/.*; \([0-9.]*\) MiB of memory of our own.*/\1/p' "$dir/said")
    awk -v own="${own:-?}" '{ printf "%.1f | %.1f | %d | %s", $1, $2 + $3, $4 / 1024, own }' "$dir/time"
}

mkdir "$dir/cache"
run >/dev/null    # packs the weights
printf '| embeddings | guidance | s | s of all processors | MiB resident | MiB of our own |\n|---:|---|---:|---:|---:|---:|\n'
for n in 1 16; do
    plain=$(run -n $n)    # an assignment, so that a run that fails ends the script
    printf '| %d | none | %s |\n' $n "$plain"
    guided=$(run -n $n -g 4 --uncond "$dir/2.clip")
    printf '| %d | 4 | %s |\n' $n "$guided"
done
