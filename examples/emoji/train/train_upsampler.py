#!/usr/bin/env python3
"""train_upsampler.py CACHE RUN: the 64 -> 256 pixel network, on crops of 64 x 64.

The low-resolution picture is blurred and made noisy by lot, so that what the decoder gets wrong does not stay.
Needs CACHE/large.npy (render.py CACHE --large).  Start it again with the same arguments to go on from RUN/last.pt.
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
from unet import UPSAMPLER, UNet

ap = argparse.ArgumentParser()
ap.add_argument("cache")
ap.add_argument("run")
ap.add_argument("--minutes", type=float, default=40)
ap.add_argument("--batch", type=int, default=24)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--muon", type=float, default=2e-3)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seed", type=int, default=1)
a = ap.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
run = pathlib.Path(a.run)
run.mkdir(parents=True, exist_ok=True)
scenes = data.Scenes(a.cache, large=True)
net = UNet(UPSAMPLER)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
opt, ema = diffusion.Optimizer(net, a.lr, a.muon), diffusion.Average(net)
step, spent = 0, 0.0
if (run / "last.pt").exists():
    s = torch.load(run / "last.pt")
    net.load_state_dict(s["net"])
    opt.load_state_dict(s["opt"])
    ema.p, ema.n, step, spent = s["ema"], s["n"], s["step"], s["spent"]
STEPS = torch.tensor(diffusion.timesteps(7))


def save():
    torch.save(dict(net=net.state_dict(), opt=opt.state_dict(), ema=ema.p, n=ema.n, step=step, spent=spent, args=vars(a)), run / "new.pt")
    os.replace(run / "new.pt", run / "last.pt")


def blur(x, sigma):
    k = torch.exp(-0.5 * (torch.arange(-2, 3) / sigma) ** 2)
    k = (k / k.sum()).view(1, 1, 5, 1).expand(3, 1, 5, 1)
    x = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), k, groups=3)
    return F.conv2d(x, k.transpose(2, 3), groups=3)


def crops(rng, n):
    """x0 [n,3,64,64] and the enlarged low-resolution picture there, both in -1..1; three crops of each scene."""
    high, low = [], []
    px, _ = scenes.batch(rng, -(-n // 3), 256)
    for x in px / 127.5 - 1:
        x = x[None]
        s = F.avg_pool2d(x, 4)
        if rng.random() < 0.6:
            s = blur(s, rng.uniform(0.3, 0.9))
        if rng.random() < 0.6:
            s = s + rng.uniform(0, 0.08) * torch.from_numpy(rng.standard_normal(tuple(s.shape), dtype=np.float32))
        up = F.interpolate(s.clamp(-1, 1), size=(256, 256), mode="bicubic", antialias=True)
        for _ in range(3):
            for _ in range(4):  # a place where there is something to see
                j, i = rng.integers(0, 193, 2)
                c = x[:, :, j:j + 64, i:i + 64]
                if c.std((2, 3)).max() > 0.05:
                    break
            high.append(c)
            low.append(up[:, :, j:j + 64, i:i + 64])
    return torch.cat(high)[:n], torch.cat(low)[:n]


log = open(run / "loss.tsv", "a")
if log.tell() == 0:
    log.write("step\tminutes\tloss\tweighted\n")
mean, saved = None, time.time()
while True:
    t0 = time.time()
    progress = spent / (60 * a.minutes)
    if progress >= 1:
        break
    rng = np.random.default_rng([a.seed, step])
    x0, low = crops(rng, a.batch)
    t = torch.from_numpy(rng.integers(0, 1000, a.batch))
    often = torch.from_numpy(rng.random(a.batch) < 0.7)  # the seven steps that upsample takes
    t = torch.where(often, STEPS[torch.from_numpy(rng.integers(0, 7, a.batch))], t)
    noise = diffusion.draw(rng, x0.shape, 0.3, 0.2)
    xt = diffusion.noised(x0, t, noise)
    with torch.autocast("cpu", torch.bfloat16):
        eps = net(torch.cat((xt, low), 1).contiguous(memory_format=torch.channels_last), t).float()
    err = (eps - noise).square().mean((1, 2, 3))
    main = (diffusion.weight(t) * err).mean()
    main.backward()
    opt.step(min(1.0, (step + 1) / 100) * min(1.0, max(0.01, (1 - progress) / 0.4)))
    ema.step(net)
    step += 1
    spent += min(time.time() - t0, 30)
    now = np.array([err.mean().item(), main.item()])
    mean = now if mean is None else mean * 0.97 + now * 0.03
    if step % 25 == 0:
        row = f"{step}\t{spent / 60:.2f}\t" + "\t".join(f"{x:.5f}" for x in mean)
        log.write(row + "\n")
        log.flush()
        print(row, f"{time.time() - t0:.2f}s/step", flush=True)
    if time.time() - saved > 180:
        save()
        saved = time.time()
save()
json.dump(dict(step=step, minutes=spent / 60, args=vars(a)), open(run / "done.json", "w"), indent=1)
