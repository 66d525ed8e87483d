#!/usr/bin/env python3
"""probe.py: probe --train next to scikit-learn's LogisticRegression, on the same vectors, in turns

usage: bench/probe.py [--bin DIR] [--rounds N] [--rows N] [--width D] [--classes K] [-C X]

Needs scikit-learn.  The vectors have length 1 and a spectrum that falls as that of CLIP's embeddings; --test more of them
are held out.  Both programs run twice: with the tolerance 1e-4, which is scikit-learn's own, and with one at which both reach the
optimum.  Both bound the same gradient, and use --threads threads (all processors).  On a busy machine one thread tells more:
threads that wait for each other spin.  Prints seconds on the wall and of the processors
(medians), the objective J, the accuracy on the training and on the held-out vectors.
"""
import argparse, json, os, resource, subprocess, tempfile, time, warnings

p = argparse.ArgumentParser()
p.add_argument("--bin", default="build/bin")
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--rows", type=int, default=50000)
p.add_argument("--width", type=int, default=512)
p.add_argument("--classes", type=int, default=100)
p.add_argument("--apart", type=float, default=0.5, help="how far the classes' centres are from each other, in deviations")
p.add_argument("-C", type=float, default=1.0)
p.add_argument("--test", type=int, default=10000)
p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
o = p.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(o.threads)    # read when numpy is imported
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

bin = os.path.abspath(o.bin)
warnings.simplefilter("ignore")
r = np.random.default_rng(2)
basis = np.linalg.qr(r.normal(size=(o.width, o.width)))[0]
scale = np.exp(-5 * np.arange(o.width) / o.width)
y = r.integers(0, o.classes, o.rows + o.test)
x = ((r.normal(size=(o.classes, o.width)) * scale)[y] * o.apart + r.normal(size=(len(y), o.width)) * scale) @ basis
x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
x, x_test, y, y_test = x[:o.rows], x[o.rows:], y[:o.rows], y[o.rows:]


def judge(w, b):
    """The objective, sum of the losses and the penalty over C, in double precision; and the accuracies."""
    z = x.astype(float) @ w.T + b
    z -= z.max(1, keepdims=True)
    loss = np.log(np.exp(z).sum(1)) - z[np.arange(o.rows), y]
    return loss.sum() + (w * w).sum() / (2 * o.C), (z.argmax(1) == y).mean(), ((x_test @ w.T + b).argmax(1) == y_test).mean()


def now():
    use = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.monotonic(), sum(u.ru_utime + u.ru_stime for u in use)])


def peer(tol):
    begin = now()
    m = LogisticRegression(C=o.C, tol=tol, max_iter=10000).fit(x, y)
    return now() - begin, m.coef_.astype(float), m.intercept_.astype(float)


def probe(*tol):
    begin = now()
    subprocess.run([f"{bin}/probe", "-q", "-j", str(o.threads), "--train", *tol, "--label-from", "^([^/]+)/", "-C", str(o.C), "-o", "o.json", "x.clip"], check=True)
    s = now() - begin
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
    runs = {"probe --tol 1e-4": lambda: probe("--tol", "1e-4"), "scikit-learn, tol 1e-4": lambda: peer(1e-4),
            "probe": probe, "scikit-learn, tol 1e-6": lambda: peer(1e-6)}
    seconds, found = {n: [] for n in runs}, {}
    for _ in range(o.rounds):
        for n, f in runs.items():
            s, w, b = f()
            seconds[n].append(s)
            found[n] = judge(w, b)
    os.chdir("/")
print(f"{o.rows} x {o.width} f32, {o.classes} classes, C {o.C}, scikit-learn {sklearn.__version__}, {o.threads} threads, {o.rounds} rounds, load {os.getloadavg()[0]:.0f}")
for n in runs:
    s = np.median(seconds[n], 0)
    j, seen, held = found[n]
    print(f"{n:24} {s[0]:7.2f} s, CPU {s[1]:7.2f} s   J {j:.3f}   accuracy {seen:.5f}, held out {held:.5f}")
