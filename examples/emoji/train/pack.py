#!/usr/bin/env python3
"""pack.py CACHE FILE: the drawings that prior, decoder and upsampler learn from, in one file of at most 30 MiB; and back.

    pack.py CACHE FILE [--chosen N] [--size S]
        CACHE as fetch.py leaves it; needs rsvg-convert.  N: 2 (the default) packs catalog.CHOSEN in the styles of catalog.FLAT and all
        other things in the first of these; 1 only catalog.FIRST.  S: 144 (the default), which all but the upsampler do with; it wants 256
    pack.py --unpack FILE CACHE
        what render.py --flat and --large write: train.npy, train.json, and large.npy, large.json of S pixels

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


def pack(cache, file, which, size):
    things = catalog.things(cache)
    few = catalog.chosen(things, catalog.FIRST if which == 1 else catalog.CHOSEN)
    jobs = [(i, s, svg) for i, s, _, svg in catalog.drawings(cache, things, catalog.FLAT) if i in few or which != 1 and s == catalog.FLAT[0]]
    index = []
    with zipfile.ZipFile(file, "w") as z, ThreadPoolExecutor(2) as pool:
        for (i, s, _), picture in zip(jobs, pool.map(lambda v: webp(v[2], size), jobs)):
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

    def one(k):
        im = Image.open(io.BytesIO(data[k])).convert("RGBA")
        large[k] = np.asarray(im)
        small[k] = smaller(im, 72)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(n)))
    large.flush()
    small.flush()
    json.dump(index, open(cache / "train.json", "w"))
    json.dump(dict(pictures=index["pictures"]), open(cache / "large.json", "w"))
    print(f"{n} drawings of {len({i for i, _ in index['pictures']})} things", flush=True)


def main():
    if sys.argv[1] == "--unpack":
        return unpack(sys.argv[2], pathlib.Path(sys.argv[3]))
    option = lambda name, value: int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else value
    pack(sys.argv[1], sys.argv[2], option("--chosen", 2), option("--size", 144))


if __name__ == "__main__":
    main()
