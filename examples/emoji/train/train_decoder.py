#!/usr/bin/env python3
"""train_decoder.py CACHE CLIP RUN: text_proj and the 64-pixel decoder, conditioned on the towers of CLIP (a checkpoint or an exported folder).

If CLIP is a checkpoint that is still being written, its towers are read again every --reload minutes: the decoder follows them.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import argparse
import json
import math
import os
import pathlib
import time

import numpy as np
import torch

import data
import diffusion
import eval_clip
from model import EMBED
from unet import DECODER, TextProj, UNet

ap = argparse.ArgumentParser()
ap.add_argument("cache")
ap.add_argument("clip")
ap.add_argument("run")
ap.add_argument("--minutes", type=float, default=120)
ap.add_argument("--small", type=float, default=0.35, help="progress up to which pictures have 32 pixels")
ap.add_argument("--batch", type=int, default=32, help="samples of 64 pixels; twice as many of 32")
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--muon", type=float, default=2e-3)
ap.add_argument("--reload", type=float, default=0)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seed", type=int, default=1)
a = ap.parse_args()

torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
run = pathlib.Path(a.run)
run.mkdir(parents=True, exist_ok=True)
scenes = data.Scenes(a.cache)
clip, tok = eval_clip.load(a.clip)
net = torch.nn.ModuleDict(dict(unet=UNet(DECODER), proj=TextProj(EMBED, 4 * DECODER["widths"][0], DECODER["context"])))
print("parameters", {k: sum(p.numel() for p in m.parameters()) for k, m in net.items()}, flush=True)
opt, ema = diffusion.Optimizer(net, a.lr, a.muon), diffusion.Average(net)
step, spent = 0, 0.0
if (run / "last.pt").exists():
    s = torch.load(run / "last.pt")
    net.load_state_dict(s["net"])
    opt.load_state_dict(s["opt"])
    ema.p, ema.n, step, spent = s["ema"], s["n"], s["step"], s["spent"]
    print("going on from step", step, flush=True)


def save():
    torch.save(dict(net=net.state_dict(), opt=opt.state_dict(), ema=ema.p, n=ema.n, step=step, spent=spent, args=vars(a)), run / "new.pt")
    os.replace(run / "new.pt", run / "last.pt")


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


log = open(run / "loss.tsv", "a")
if log.tell() == 0:
    log.write("step\tminutes\tside\tloss\tweighted\tvariance\n")
mean, began = None, time.time()
saved = loaded = time.time()
while True:
    t0 = time.time()
    progress = spent / (60 * a.minutes)
    if progress >= 1:
        break
    if a.reload and t0 - loaded > 60 * a.reload:
        try:
            clip, tok = eval_clip.load(a.clip)
        except (RuntimeError, OSError, EOFError):
            pass  # it is being replaced: next time
        loaded = t0
    rate = min(1.0, (step + 1) / 100) * min(1.0, max(0.02, (1 - progress) / 0.35))
    rng = np.random.default_rng([a.seed, step])
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
    opt.step(rate)
    ema.step(net)
    step += 1
    spent += min(time.time() - t0, 30)
    now = np.array([err.mean().item(), main.item(), var.item()])
    mean = now if mean is None else mean * 0.97 + now * 0.03
    if step % 25 == 0:
        row = f"{step}\t{spent / 60:.2f}\t{side}\t" + "\t".join(f"{x:.5f}" for x in mean)
        log.write(row + "\n")
        log.flush()
        print(row, f"{time.time() - t0:.2f}s/step", flush=True)
    if time.time() - saved > 180:
        save()
        saved = time.time()
save()
json.dump(dict(step=step, minutes=spent / 60, args=vars(a)), open(run / "done.json", "w"), indent=1)
