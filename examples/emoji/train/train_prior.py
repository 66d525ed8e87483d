#!/usr/bin/env python3
"""train_prior.py CACHE CLIP RUN: the diffusion prior, from captions to CLIP image embeddings.

First a pool of scenes is painted and embedded (RUN/pool.pt); then the prior learns from the pool.
--weights FOLDER begins with the weights of an exported folder, and --chosen 1 or 2 with the few things of catalog.FIRST or CHOSEN.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import pathlib

import numpy as np
import torch

import catalog
import conditions
import data
import diffusion
import eval_clip
from prior import PRIOR, Prior
from run import Run, amp, options

a = options("cache", "clip", "run", minutes=15.0, pool=(30000, "scenes"), batch=192, weights="", chosen=(2, "0: all things, 1: FIRST, 2: CHOSEN"), styles=(3, "of catalog.FLAT for the chosen things"),
            share=(0.9, "of the samples that the chosen things get"), cool=(0.5, "part of the time in which the step size falls"))
folder = pathlib.Path(a.run)
clip, tok = eval_clip.load(a.clip, a.device)


def make_pool():
    scenes, image, texts = data.Scenes(a.cache, ("", catalog.FIRST, catalog.CHOSEN)[a.chosen], share=a.share, styles=a.styles), [], []
    with torch.no_grad():
        for i in range(a.pool // 200):
            px, t = scenes.batch(np.random.default_rng([a.seed, 1, i]), 200, device=a.device)
            with amp(a):
                image.append(clip.vision(data.normalise(px)).float().cpu())
            texts += t
            if i % 20 == 0:
                print("pool", len(texts), flush=True)
    ids, mask = conditions.padded(tok, texts)
    torch.save(dict(image=torch.cat(image), ids=ids.short(), length=mask.sum(1)), folder / "pool.pt")


if not (folder / "pool.pt").exists():
    make_pool()
pool = torch.load(folder / "pool.pt")
net = Prior(**PRIOR)
if a.weights:
    net.load_state_dict(conditions.shipped(a.weights, "prior"))
else:
    net.clip_mean.data, net.clip_std.data = pool["image"].mean(0, keepdim=True), pool["image"].std(0, keepdim=True)
net = net.to(a.device)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
run = Run(a, net, ["loss", "held_out"], 0.998)
image = (pool["image"].to(a.device) - net.clip_mean) / net.clip_std
held = len(image) // 40  # the last part is kept for measuring


def told(rows, drop):
    """Embeddings, states and mask of the captions of these rows, those in drop empty."""
    ids, length = pool["ids"][rows].long(), pool["length"][rows].clone()
    ids[drop] = 0
    ids[drop, :2] = torch.tensor([tok.sot, tok.eot])
    length[drop] = 2
    ids = ids[:, : int(length.max())]
    mask = (torch.arange(ids.shape[1]) < length[:, None]).to(a.device)
    ids = ids.to(a.device)
    with torch.no_grad(), amp(a):
        states = clip.text.states(ids)
        return clip.text.pool(states, ids).float(), states.float(), mask


def loss(rows, t, noise, drop):
    x0 = image[rows.to(a.device)]
    A = diffusion.ABAR[t][:, None].to(a.device)
    with amp(a):
        out = net(A.sqrt() * x0 + (1 - A).sqrt() * noise.to(a.device), t.to(a.device), *told(rows, drop)).float()
    return (out - x0).square().mean(1)


for _ in run.steps(a.cool):
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
