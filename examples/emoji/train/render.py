#!/usr/bin/env python3
"""render.py CACHE [--flat | --large | --huge]: draw everything once at 72 x 72 and keep it.

Writes CACHE/train.npy (uint8 [N,72,72,4], straight alpha), CACHE/train.json
(things, and for each picture its thing and style), and the same for OpenMoji as
CACHE/openmoji.npy / .json (evaluation only).  Needs rsvg-convert.
--flat draws the sets of data.STYLES alone, all that prior and decoder are taught; only their packages are needed.
--large draws the sets of data.STYLES at 256 x 256 for the first upsampler and the picture code: CACHE/large.npy, .json;
--huge draws catalog.CHOSEN in one style at 1024 x 1024 for the second: CACHE/huge.npy, .json (2 GB).
"""
import io
import json
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

import catalog
from data import STYLES

SIZE = 72


def draw(job):
    kind, what = job
    if kind == "svg":
        r = subprocess.run(["rsvg-convert", "-w", str(SIZE), "-h", str(SIZE), "--keep-aspect-ratio"], input=what.encode(), capture_output=True)
        if r.returncode:
            return None
        im = Image.open(io.BytesIO(r.stdout)).convert("RGBA")
    else:
        im = Image.open(what).convert("RGBA")
        a = np.asarray(im, dtype=np.float32)  # shrink with premultiplied alpha, then divide again
        a[..., :3] *= a[..., 3:] / 255
        ch = [np.asarray(Image.fromarray(a[..., i]).resize((SIZE, SIZE), Image.BICUBIC)) for i in range(4)]
        a = np.stack(ch, -1)
        a[..., :3] *= 255 / np.maximum(a[..., 3:], 1)
        return np.clip(a + 0.5, 0, 255).astype(np.uint8)
    if im.size != (SIZE, SIZE):
        p = Image.new("RGBA", (SIZE, SIZE))
        p.paste(im, ((SIZE - im.width) // 2, (SIZE - im.height) // 2))
        im = p
    return np.asarray(im)


def render(jobs, path):
    """jobs: list of (kind, payload).  Returns the indices that could be drawn."""
    kept = []
    tmp = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(jobs), SIZE, SIZE, 4))
    with ThreadPoolExecutor(3) as pool:
        for i, a in enumerate(pool.map(draw, jobs)):
            if a is not None and a[..., 3].max() > 0:
                tmp[len(kept)] = a
                kept.append(i)
            if i % 2000 == 0:
                print(path.name, i, "of", len(jobs), flush=True)
    tmp.flush()
    return kept  # rows beyond len(kept) stay zero and are never named in the index


def main():
    cache = pathlib.Path(sys.argv[1])
    things = catalog.things(cache)
    flat = {"--flat", "--large", "--huge"} & set(sys.argv)
    d = catalog.drawings(cache, things, catalog.FLAT[:1] if "--huge" in sys.argv else STYLES if flat else None)
    for option, size in (("--large", 256), ("--huge", 1024)):
        if option in sys.argv:
            global SIZE
            SIZE = size
            if size == 1024:
                few = catalog.chosen(things, catalog.CHOSEN)
                d = [x for x in d if x[0] in few]
            kept = render([(k, p) for _, _, k, p in d], cache / f"{option[2:]}.npy")
            json.dump(dict(pictures=[[d[i][0], d[i][1]] for i in kept]), open(cache / f"{option[2:]}.json", "w"))
            return
    kept = render([(k, p) for _, _, k, p in d], cache / "train.npy")
    json.dump(dict(things=things, pictures=[[d[i][0], d[i][1]] for i in kept]), open(cache / "train.json", "w"))
    if flat:
        return
    o = sorted(catalog.openmoji(cache, things).items())
    kept = render([("svg", open(f, encoding="utf-8").read()) for _, f in o], cache / "openmoji.npy")
    json.dump(dict(pictures=[[o[i][0], "openmoji"] for i in kept]), open(cache / "openmoji.json", "w"))


if __name__ == "__main__":
    main()
