#!/usr/bin/env python3
"""probe.py: probe --train next to scikit-learn's LogisticRegression, on the same vectors, in turns

usage: bench/probe.py [--bin DIR] [--rounds N] [--rows N] [--width D] [--classes K] [-C X]

Needs scikit-learn.  The vectors have length 1 and a spectrum that falls as that of CLIP's embeddings.  scikit-learn runs
twice: with its own tolerance, and with one that brings it to the objective that probe reaches.  Both programs use all
processors.  Prints seconds (medians), the objective J, the accuracy on the training vectors, and ratios of the medians.
"""
import argparse, json, os, statistics, subprocess, tempfile, time, warnings
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

p = argparse.ArgumentParser()
p.add_argument("--bin", default="build/bin")
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--rows", type=int, default=50000)
p.add_argument("--width", type=int, default=512)
p.add_argument("--classes", type=int, default=100)
p.add_argument("-C", type=float, default=1.0)
o = p.parse_args()
bin = os.path.abspath(o.bin)
warnings.simplefilter("ignore")
r = np.random.default_rng(2)
basis = np.linalg.qr(r.normal(size=(o.width, o.width)))[0]
scale = np.exp(-5 * np.arange(o.width) / o.width)
y = r.integers(0, o.classes, o.rows)
x = ((r.normal(size=(o.classes, o.width)) * scale)[y] * 0.5 + r.normal(size=(o.rows, o.width)) * scale) @ basis
x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def judge(w, b):
    """The objective, sum of the losses and the penalty over C, in double precision; and the accuracy."""
    z = x.astype(float) @ w.T + b
    z -= z.max(1, keepdims=True)
    loss = np.log(np.exp(z).sum(1)) - z[np.arange(o.rows), y]
    return loss.sum() + (w * w).sum() / (2 * o.C), (z.argmax(1) == y).mean()


def peer(tol):
    begin = time.monotonic()
    m = LogisticRegression(C=o.C, tol=tol, max_iter=10000).fit(x, y)
    return time.monotonic() - begin, m.coef_.astype(float), m.intercept_.astype(float)


def probe():
    begin = time.monotonic()
    subprocess.run([f"{bin}/probe", "-q", "--train", "--label-from", "^([^/]+)/", "-C", str(o.C), "-o", "o.json", "x.clip"], check=True)
    s = time.monotonic() - begin
    m = json.load(open("o.json"))
    order = np.argsort([int(c) for c in m["classes"]])
    return s, np.array(m["coef"])[order], np.array(m["intercept"])[order]


with tempfile.TemporaryDirectory() as d:
    os.chdir(d)
    np.save("x.npy", x)
    with open("ids", "w") as f:
        f.writelines(f"{c}/{i}\n" for i, c in enumerate(y))
    with open("x.clip", "wb") as f:
        subprocess.run([f"{bin}/record-json", "--from-npy", "image_embed=x.npy", "--ids", "ids"], stdout=f, check=True)
    runs = {"probe, from a stream": probe, "scikit-learn, tol 1e-4": lambda: peer(1e-4), "scikit-learn, tol 1e-6": lambda: peer(1e-6)}
    seconds, found = {n: [] for n in runs}, {}
    for _ in range(o.rounds):
        for n, f in runs.items():
            s, w, b = f()
            seconds[n].append(s)
            found[n] = judge(w, b)
    os.chdir("/")
print(f"{o.rows} x {o.width} f32, {o.classes} classes, C {o.C}, scikit-learn {sklearn.__version__}, {o.rounds} rounds")
first = statistics.median(seconds["probe, from a stream"])
for n in runs:
    s = statistics.median(seconds[n])
    print(f"{n:24} {s:7.2f} s   J {found[n][0]:.3f}   accuracy {found[n][1]:.5f}   {s / first:5.2f}")
