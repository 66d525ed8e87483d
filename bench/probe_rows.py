#!/usr/bin/env python3
"""probe_rows.py: probe --train on more vectors than it keeps in memory, from a file

usage: bench/probe_rows.py [--bin DIR] [--rows N] [--width D] [--classes K] [-C X] [-j N] DIR

Makes N random vectors of length 1 around K centres in DIR (N x D x 8 bytes are needed there, and freed at the end),
turns them into a stream, and fits a classifier to the stream's file.  Prints seconds on the wall and of the processors,
and the largest anonymous memory (RssAnon) and the largest resident memory, which includes the mapped file.
"""
import argparse, os, resource, subprocess, time
import numpy as np

p = argparse.ArgumentParser()
p.add_argument("--bin", default="build/bin")
p.add_argument("--rows", type=int, default=1000000)
p.add_argument("--width", type=int, default=768)
p.add_argument("--classes", type=int, default=10)
p.add_argument("-C", type=float, default=1.0)
p.add_argument("-j", type=int, default=len(os.sched_getaffinity(0)))
p.add_argument("dir")
o = p.parse_args()
bin = os.path.abspath(o.bin)
os.chdir(o.dir)
r = np.random.default_rng(3)
centre = r.normal(size=(o.classes, o.width)).astype(np.float32)
y = r.integers(0, o.classes, o.rows)
x = np.lib.format.open_memmap("x.npy", "w+", np.float32, (o.rows, o.width))
for i in range(0, o.rows, 20000):
    j = min(i + 20000, o.rows)
    part = r.standard_normal((j - i, o.width), dtype=np.float32) + 0.1 * centre[y[i:j]]
    x[i:j] = part / np.linalg.norm(part, axis=1, keepdims=True)
del x
with open("ids", "w") as f:
    f.writelines(f"{c}/{i}\n" for i, c in enumerate(y))
with open("x.clip", "wb") as f:
    subprocess.run([f"{bin}/record-json", "--from-npy", "image_embed=x.npy", "--ids", "ids"], stdout=f, check=True)
os.unlink("x.npy")
before = resource.getrusage(resource.RUSAGE_CHILDREN)
begin = time.monotonic()
run = subprocess.Popen([f"{bin}/probe", "-v", "--progress=none", "-j", str(o.j), "--train", "--label-from", "^([^/]+)/", "-C", str(o.C),
                        "-o", "o.json", "x.clip"])
most = {"RssAnon": 0, "VmHWM": 0}
while run.poll() is None:
    try:
        with open(f"/proc/{run.pid}/status") as f:
            for name, kib in (l.split()[:2] for l in f if l.split(":")[0] in most):
                most[name[:-1]] = max(most[name[:-1]], int(kib))
    except OSError:
        pass
    time.sleep(0.05)
wall = time.monotonic() - begin
use = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = use.ru_utime + use.ru_stime - before.ru_utime - before.ru_stime
print(f"{o.rows} x {o.width} f32, {o.classes} classes, C {o.C}, -j {o.j}: status {run.returncode}, {wall:.0f} s, {cpu:.0f} s of the processors, "
      f"largest RssAnon {most['RssAnon'] / 1024:.0f} MiB, largest resident size {most['VmHWM'] / 1024:.0f} MiB")
for name in ("ids", "x.clip", "o.json"):
    os.unlink(name)
