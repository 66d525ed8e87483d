#!/usr/bin/env python3
"""few_shot.py CACHE [--bin DIR] [--draws N]: a probe on the training styles next to zero-shot, both on an unseen style.

The 100 names and the pictures of OpenMoji are those of eval_clip.py.  The examples are drawn by lot among the training
styles, each on white and on pastel green, without repetition; a name that has fewer pictures gives all of them.  Trains
`probe` with the C of the CLIP paper, 0.316, on 1, 2, 4, 8 and 16 examples a name.  Prints the accuracy on OpenMoji, in per
cent, as a table: the mean of the draws, the least and the most.  The model is the folder above or $UNCLIP_MODEL.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image

import captions
import catalog
import render
from data import INK
from eval_clip import GROUNDS, TEMPLATES, choose, over

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("cache", type=pathlib.Path)
p.add_argument("--bin", default=str(pathlib.Path(__file__).resolve().parents[3] / "build/bin"))
p.add_argument("--draws", type=int, default=5)
A = p.parse_args()
C = 0.316
os.environ.setdefault("UNCLIP_MODEL", str(pathlib.Path(__file__).resolve().parent.parent))


def run(name, *args, stdin=None):
    return subprocess.run([f"{A.bin}/{name}", *map(str, args)], input=stdin, stdout=subprocess.PIPE, check=True).stdout


def embed(files, to):
    to.write_bytes(run("clip-embed", "-q", "--files0-from=-", stdin=b"\0".join(str(f).encode() for f in files)))


def accuracy(tsv, names):
    rows = [line.split("\t") for line in tsv.decode().splitlines()]
    return 100 * np.mean([names[int(pathlib.Path(r[0]).parent.name)] == r[1] for r in rows])


def main():
    things = catalog.things(A.cache)
    drawings = catalog.drawings(A.cache, things)
    of = [[] for _ in things]
    for k, (i, style, _, _) in enumerate(drawings):
        coloured = things[i]["group"] == "Flags" or captions.COLOUR_WORDS & set(things[i]["name"].split())
        if not (style in INK and coloured):
            of[i].append(k)
    unseen = catalog.openmoji(A.cache, things)
    picks = choose(things, unseen, of)
    names = [things[i]["name"] for i in picks]
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)

        def save(folder, n, job, label):
            """The PNG files of one drawing on both grounds."""
            rgba = render.draw(job)
            for ground, colour in GROUNDS.items() if rgba is not None else ():
                f = d / folder / str(n) / f"{label}-{ground.split()[-1]}.png"
                f.parent.mkdir(parents=True, exist_ok=True)
                over(rgba, colour).convert("RGB").save(f)
                yield f

        test = [f for n, i in enumerate(picks) for f in save("test", n, ("svg", open(unseen[i], encoding="utf-8").read()), "openmoji")]
        seen = [[f for k in of[i] for f in save("train", n, drawings[k][2:], k)] for n, i in enumerate(picks)]
        (d / "labels").write_text("\n".join(names) + "\n")
        (d / "templates").write_text("\n".join(TEMPLATES) + "\n")
        embed(test, d / "test.clip")
        zero = accuracy(run("rank", "--labels", d / "labels", "--templates", d / "templates", "--tsv", d / "test.clip"), names)
        print(f"{len(names)} names; OpenMoji: {len(test)} pictures; {sum(map(len, seen))} pictures in the training styles, "
              f"{min(map(len, seen))} to {max(map(len, seen))} a name; zero-shot {zero:.1f} %")
        print("| examples a name | pictures | probe | least and most |\n|---:|---:|---:|---|")
        for n in (1, 2, 4, 8, 16):
            got, used = [], 0
            for draw in range(A.draws):
                rng = np.random.default_rng(draw)
                files = [f for s in seen for f in [s[k] for k in rng.permutation(len(s))[:n]]]
                used = len(files)
                embed(files, d / "few.clip")
                (d / "labels.tsv").write_text("".join(f"{f}\t{names[int(f.parent.name)]}\n" for f in files))
                run("probe", "-q", "--train", "--labels", d / "labels.tsv", "-C", C, "-o", d / "probe", d / "few.clip")
                got.append(accuracy(run("probe", d / "probe", "--tsv", d / "test.clip"), names))
            print(f"| {n} | {used} | {np.mean(got):.1f} % | {min(got):.1f} % and {max(got):.1f} % |", flush=True)


if __name__ == "__main__":
    main()
