#!/usr/bin/env python3
"""pack.py CACHE FILE: the drawings that prior, decoder and upsampler learn from, in one file of at most 30 MiB; and back.

    pack.py CACHE FILE [--chosen N] [--size S] [--huge 1]
        CACHE as fetch.py leaves it; needs rsvg-convert.  N: 2 (the default) packs catalog.CHOSEN in the styles of catalog.FLAT and all
        other things in the first of these; 1 only catalog.FIRST.  S: 144 (the default), which all but the upsampler do with; it wants 256.  --huge 1: the chosen things in the first style have 1024 pixels, which `train_upsampler.py --to 1024` wants
    pack.py --unpack FILE CACHE
        what render.py --flat, --large and --huge write: train.npy and train.json, large.npy and large.json of S pixels, huge.npy and huge.json of
        the pictures that have 1024

FILE is a zip file: index.json (size; things; thing and style of each picture) and lossless WebP pictures with alpha.
"""
import io
import json
import os
import pathlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

import catalog

MOST = 30 << 20


def webp(svg, size):
    r = subprocess.run(["rsvg-convert", "-w", str(size), "-h", str(size), "--keep-aspect-ratio"], input=svg.encode(), capture_output=True)
    if r.returncode:
        return None
    im = Image.open(io.BytesIO(r.stdout)).convert("RGBA")
    if im.size != (size, size):
        p = Image.new("RGBA", (size, size))
        p.paste(im, ((size - im.width) // 2, (size - im.height) // 2))
        im = p
    out = io.BytesIO()
    im.save(out, "WEBP", lossless=True, quality=50, method=4)
    return out.getvalue()


HUGE = 1024


def pack(cache, file, which, size, huge):
    things = catalog.things(cache)
    few = catalog.chosen(things, catalog.FIRST if which == 1 else catalog.CHOSEN)
    jobs = [(i, s, svg) for i, s, _, svg in catalog.drawings(cache, things, catalog.FLAT) if i in few or which != 1 and s == catalog.FLAT[0]]
    index = []
    of = lambda i, s: HUGE if huge and i in few and s == catalog.FLAT[0] else size
    with zipfile.ZipFile(file, "w") as z, ThreadPoolExecutor(2) as pool:
        for (i, s, _), picture in zip(jobs, pool.map(lambda v: webp(v[2], of(*v[:2])), jobs)):
            if picture:
                z.writestr(f"{len(index)}.webp", picture)
                index.append([i, s])
        z.writestr("index.json", json.dumps(dict(size=size, things=things, pictures=index)), zipfile.ZIP_DEFLATED)
    total = os.path.getsize(file)
    print(f"{len(index)} drawings of {len({i for i, _ in index})} things, {total / 2**20:.1f} MiB")
    assert total <= MOST, "too large"


def smaller(im, size):
    """Straight alpha in and out; the sum goes over premultiplied colours."""
    a = np.asarray(im, dtype=np.float32)
    a[..., :3] *= a[..., 3:] / 255
    a = np.stack([np.asarray(Image.fromarray(np.ascontiguousarray(a[..., k])).resize((size, size), Image.BOX)) for k in range(4)], -1)
    a[..., :3] *= 255 / np.maximum(a[..., 3:], 1e-3)
    return np.clip(a + 0.5, 0, 255).astype(np.uint8)


def unpack(file, cache):
    cache.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file) as z:
        index = json.loads(z.read("index.json"))
        n, size = len(index["pictures"]), index["size"]
        large = np.lib.format.open_memmap(cache / "large.npy", mode="w+", dtype=np.uint8, shape=(n, size, size, 4))
        small = np.lib.format.open_memmap(cache / "train.npy", mode="w+", dtype=np.uint8, shape=(n, 72, 72, 4))
        data = [z.read(f"{k}.webp") for k in range(n)]

    sized = [Image.open(io.BytesIO(d)).size[0] for d in data]
    most = [k for k in range(n) if sized[k] == HUGE]
    if most:
        huge = np.lib.format.open_memmap(cache / "huge.npy", mode="w+", dtype=np.uint8, shape=(len(most), HUGE, HUGE, 4))
        json.dump(dict(pictures=[index["pictures"][k] for k in most]), open(cache / "huge.json", "w"))
    row = {k: j for j, k in enumerate(most)}

    def one(k):
        im = Image.open(io.BytesIO(data[k])).convert("RGBA")
        if k in row:
            huge[row[k]] = np.asarray(im)
        large[k] = np.asarray(im) if im.width == size else smaller(im, size)
        small[k] = smaller(im, 72)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(n)))
    json.dump(index, open(cache / "train.json", "w"))
    json.dump(dict(pictures=index["pictures"]), open(cache / "large.json", "w"))
    print(f"{n} drawings of {len({i for i, _ in index['pictures']})} things", flush=True)


def main():
    if sys.argv[1] == "--unpack":
        return unpack(sys.argv[2], pathlib.Path(sys.argv[3]))
    option = lambda name, value: int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else value
    pack(sys.argv[1], sys.argv[2], option("--chosen", 2), option("--size", 144), option("--huge", 0))


if __name__ == "__main__":
    main()
