#!/usr/bin/env python3
"""train_prior.py CACHE CLIP RUN: the diffusion prior, from captions to CLIP image embeddings.

First a pool of scenes is painted and embedded (RUN/pool.pt); then the prior learns from the pool.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import argparse
import json
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

import data
import diffusion
import eval_clip
from prior import PRIOR, Prior

ap = argparse.ArgumentParser()
ap.add_argument("cache")
ap.add_argument("clip")
ap.add_argument("run")
ap.add_argument("--minutes", type=float, default=15)
ap.add_argument("--pool", type=int, default=40000)
ap.add_argument("--batch", type=int, default=256)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--muon", type=float, default=2e-3)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seed", type=int, default=1)
a = ap.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
run = pathlib.Path(a.run)
run.mkdir(parents=True, exist_ok=True)
clip, tok = eval_clip.load(a.clip)


def make_pool():
    scenes, image, texts = data.Scenes(a.cache), [], []
    with torch.no_grad():
        for i in range(a.pool // 200):
            px, t = scenes.batch(np.random.default_rng([a.seed, 1, i]), 200)
            with torch.autocast("cpu", torch.bfloat16):
                image.append(clip.vision(data.normalise(px)).float())
            texts += t
            if i % 20 == 0:
                print("pool", len(texts), flush=True)
    rows = [tok.encode(t, plain=True) for t in texts]
    ids = torch.zeros(len(rows), 48, dtype=torch.int16)
    for k, r in enumerate(rows):
        ids[k, : len(r)] = torch.tensor(r)
    torch.save(dict(image=torch.cat(image), ids=ids, length=torch.tensor([len(r) for r in rows])), run / "pool.pt")


if not (run / "pool.pt").exists():
    make_pool()
pool = torch.load(run / "pool.pt")
net = Prior(**PRIOR)
net.clip_mean.data, net.clip_std.data = pool["image"].mean(0, keepdim=True), pool["image"].std(0, keepdim=True)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
opt, ema = diffusion.Optimizer(net, a.lr, a.muon), diffusion.Average(net, 0.998)
step, spent = 0, 0.0
if (run / "last.pt").exists():
    s = torch.load(run / "last.pt")
    net.load_state_dict(s["net"])
    opt.load_state_dict(s["opt"])
    ema.p, ema.n, step, spent = s["ema"], s["n"], s["step"], s["spent"]
image = (pool["image"] - net.clip_mean) / net.clip_std
empty = torch.tensor([tok.sot, tok.eot])
held = len(image) // 40  # the last part is kept for measuring


def save():
    torch.save(dict(net=net.state_dict(), opt=opt.state_dict(), ema=ema.p, n=ema.n, step=step, spent=spent, args=vars(a)), run / "new.pt")
    os.replace(run / "new.pt", run / "last.pt")


def told(rows, drop):
    """Embeddings, states and mask of the captions of these rows, those in drop empty; in order of length."""
    ids, length = pool["ids"][rows].long(), pool["length"][rows].clone()
    ids[drop] = 0
    ids[drop, :2] = empty
    length[drop] = 2
    ids = ids[:, : int(length.max())]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        states = clip.text.states(ids)
        return clip.text.pool(states, ids).float(), states.float(), torch.arange(ids.shape[1]) < length[:, None]


def loss(rows, t, noise, drop):
    x0 = image[rows]
    A = diffusion.ABAR[t][:, None]
    with torch.autocast("cpu", torch.bfloat16):
        out = net(A.sqrt() * x0 + (1 - A).sqrt() * noise, t, *told(rows, drop)).float()
    return (out - x0).square().mean(1)


log = open(run / "loss.tsv", "a")
if log.tell() == 0:
    log.write("step\tminutes\tloss\theld_out\n")
mean, saved = None, time.time()
while True:
    t0 = time.time()
    progress = spent / (60 * a.minutes)
    if progress >= 1:
        break
    rng = np.random.default_rng([a.seed, 2, step])
    rows = torch.from_numpy(rng.choice(len(image) - held, a.batch, replace=False))
    rows = rows[pool["length"][rows].argsort()]
    t = torch.from_numpy(((rng.random() + rng.permutation(a.batch)) / a.batch * 1000).astype(np.int64))
    noise = torch.from_numpy(rng.standard_normal((a.batch, image.shape[1]), dtype=np.float32))
    drop = torch.from_numpy(rng.random(a.batch) < 0.1)
    total = 0.0
    for part in torch.arange(a.batch).chunk(4):  # short captions apart from long ones
        l = loss(rows[part], t[part], noise[part], drop[part]).sum() / a.batch
        l.backward()
        total += l.item()
    opt.step(min(1.0, (step + 1) / 100) * min(1.0, max(0.01, (1 - progress) / 0.5)))
    ema.step(net)
    step += 1
    spent += min(time.time() - t0, 30)
    mean = total if mean is None else 0.97 * mean + 0.03 * total
    if step % 50 == 0:
        ema.swap(net)
        with torch.no_grad():
            rows = torch.arange(len(image) - held, len(image))[:512]
            g = torch.Generator().manual_seed(5)
            out = loss(rows, (torch.arange(512) * 999 // 511), torch.randn(512, image.shape[1], generator=g), torch.zeros(512, dtype=torch.bool)).mean().item()
        ema.swap(net)
        row = f"{step}\t{spent / 60:.2f}\t{mean:.5f}\t{out:.5f}"
        log.write(row + "\n")
        log.flush()
        print(row, f"{time.time() - t0:.2f}s/step", flush=True)
    if time.time() - saved > 120:
        save()
        saved = time.time()
save()
json.dump(dict(step=step, minutes=spent / 60, args=vars(a)), open(run / "done.json", "w"), indent=1)
