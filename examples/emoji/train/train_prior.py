#!/usr/bin/env python3
"""train_prior.py CACHE CLIP RUN: the diffusion prior, from captions to CLIP image embeddings.

First a pool of scenes is painted and embedded (RUN/pool.pt); then the prior learns from the pool.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import pathlib

import numpy as np
import torch

import data
import diffusion
import eval_clip
from prior import PRIOR, Prior
from run import Run, options

a = options("cache", "clip", "run", minutes=15.0, pool=(30000, "scenes"), batch=192)
folder = pathlib.Path(a.run)
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
    torch.save(dict(image=torch.cat(image), ids=ids, length=torch.tensor([len(r) for r in rows])), folder / "pool.pt")


if not (folder / "pool.pt").exists():
    make_pool()
pool = torch.load(folder / "pool.pt")
net = Prior(**PRIOR)
net.clip_mean.data, net.clip_std.data = pool["image"].mean(0, keepdim=True), pool["image"].std(0, keepdim=True)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
run = Run(a, net, ["loss", "held_out"], 0.998)
image = (pool["image"] - net.clip_mean) / net.clip_std
empty = torch.tensor([tok.sot, tok.eot])
held = len(image) // 40  # the last part is kept for measuring


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


for _ in run.steps(0.5):
    rng = run.rng(2)
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
    run.step(total)
    if run.number % 50 == 0:
        run.ema.swap(net)
        with torch.no_grad():
            rows = torch.arange(len(image) - held, len(image))[:512]
            n = len(rows)
            g = torch.Generator().manual_seed(5)
            out = loss(rows, torch.arange(n) * 999 // (n - 1), torch.randn(n, image.shape[1], generator=g), torch.zeros(n, dtype=torch.bool)).mean().item()
        run.ema.swap(net)
        run.report(run.mean[0], out)
