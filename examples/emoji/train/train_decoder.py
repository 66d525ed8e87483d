#!/usr/bin/env python3
"""train_decoder.py CACHE CLIP RUN: text_proj and the 64-pixel decoder, conditioned on the towers of CLIP (a checkpoint or an exported folder).

If CLIP is a checkpoint that is still being written, its towers are read again every --reload minutes: the decoder follows them.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import time

import numpy as np
import torch

import data
import diffusion
import eval_clip
from model import EMBED
from run import Run, options
from unet import DECODER, TextProj, UNet

a = options("cache", "clip", "run", minutes=120.0, small=(0.35, "progress up to which pictures have 32 pixels"),
            batch=(16, "samples of 64 pixels; twice as many of 32"), reload=0.0)
scenes = data.Scenes(a.cache)
clip, tok = eval_clip.load(a.clip)
net = torch.nn.ModuleDict(dict(unet=UNet(DECODER), proj=TextProj(EMBED, 4 * DECODER["widths"][0], DECODER["context"])))
print("parameters", {k: sum(p.numel() for p in m.parameters()) for k, m in net.items()}, flush=True)
run = Run(a, net, ["side", "loss", "weighted", "variance"])


@torch.no_grad()
def condition(texts):
    """Text embeddings [N,D], states [N,L,D], mask [N,L]."""
    rows = [tok.encode(t, plain=True) for t in texts]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for k, r in enumerate(rows):
        ids[k, : len(r)] = torch.tensor(r)
    mask = torch.arange(ids.shape[1]) < torch.tensor([len(r) for r in rows])[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        states = clip.text.states(ids)
        return clip.text.pool(states, ids).float(), states.float(), mask


loaded = time.time()
for progress in run.steps(0.35):
    if a.reload and time.time() - loaded > 60 * a.reload:
        try:
            clip, tok = eval_clip.load(a.clip)
        except (RuntimeError, OSError, EOFError):
            pass  # it is being replaced: next time
        loaded = time.time()
    rng = run.rng()
    side = 32 if progress < a.small else 64
    n = a.batch * (2 if side == 32 else 1)
    px, texts = scenes.batch(rng, n)
    texts = ["" if rng.random() < 0.5 else t for t in texts]
    text, states, mask = condition(texts)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        image = clip.vision(data.normalise(px)).float()
    x0 = px / 127.5 - 1
    if side == 32:
        x0 = torch.nn.functional.avg_pool2d(x0, 2)
    x0 = x0.contiguous(memory_format=torch.channels_last)
    t = torch.from_numpy(((rng.random() + np.arange(n)) / n * 1000).astype(np.int64))  # evenly spread, shifted by lot
    noise = diffusion.draw(rng, x0.shape, 0.15)
    xt = diffusion.noised(x0, t, noise)
    drop = torch.from_numpy(rng.random(n) < 0.1)[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        add, ctx, m = net.proj(torch.where(drop, net.proj.learned_classifier_free_guidance_embeddings, image), text, states, mask)
        eps, v = net.unet(xt, t, add, ctx, m).float().chunk(2, 1)
    err = (eps - noise).square().mean((1, 2, 3))
    main = (diffusion.weight(t) * err).mean()
    var = diffusion.variance_loss(v, eps.detach(), x0, xt, t).mean()
    (main + 0.001 * var).backward()
    run.step(err.mean().item(), main.item(), var.item())
    if run.number % 25 == 0:
        run.report(str(side), *run.mean)
