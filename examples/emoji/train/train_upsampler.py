#!/usr/bin/env python3
"""train_upsampler.py CACHE RUN: the 64 -> 256 pixel network (--to 256), the one after it (--to 1024), or one that does both (--to 0), on crops of 64 x 64.

The low-resolution picture is blurred and made noisy by lot, so that what the decoder gets wrong does not stay.  For 1024 pixels it also
goes through JPEG and through sizes made by other filters, as the paper's BSR-like degradations, and it needs
CACHE/huge.npy (render.py CACHE --huge); with --to 0 every other batch is of that kind.
Needs CACHE/large.npy (render.py CACHE --large).  --weights FOLDER begins with the weights of an exported folder.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import conditions
import data
import diffusion
from run import Run, amp, batches, options
from unet import UPSAMPLER, UNet

a = options("cache", "run", minutes=40.0, batch=16, to=(256, "1024, or 0 for both"), weights="", cool=(0.4, "part of the time in which the step size falls"))
scenes = data.Scenes(a.cache, large="large") if a.to != 1024 else None
huge = data.Scenes(a.cache, large="huge") if a.to != 256 else None
net = UNet(UPSAMPLER)
if a.weights:
    net.load_state_dict(conditions.shipped(a.weights, "super_res_first"))
net = net.to(a.device)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
run = Run(a, net, ["loss", "weighted"])
STEPS = torch.tensor(diffusion.timesteps(7))


def blur(x, sigma):
    k = torch.exp(-0.5 * (torch.arange(-2, 3) / sigma) ** 2)
    k = (k / k.sum()).view(1, 1, 5, 1).expand(3, 1, 5, 1)
    x = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), k, groups=3)
    return F.conv2d(x, k.transpose(2, 3), groups=3)


def degraded(rng, s):
    """A small picture [1,3,S,S], -1 to 1, as others might have handed it on: in random order blur, noise, JPEG, another size and back."""
    def jpeg(s):
        out = io.BytesIO()
        px = (127.5 * (s[0].permute(1, 2, 0).clamp(-1, 1) + 1)).round().byte().numpy()
        Image.fromarray(px).save(out, "JPEG", quality=int(rng.integers(50, 96)))
        return torch.from_numpy(np.asarray(Image.open(out)).astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1

    def sized(s):
        kind = ("bilinear", "bicubic", "area", "nearest")[rng.integers(4)]
        more = dict(antialias=True) if kind in ("bilinear", "bicubic") else {}
        small = F.interpolate(s, scale_factor=float(rng.uniform(0.6, 0.95)), mode=kind, **more)
        return F.interpolate(small, size=s.shape[2:], mode="bicubic")

    steps = [lambda s: blur(s, rng.uniform(0.3, 1.1)), lambda s: s + rng.uniform(0, 0.1) * torch.from_numpy(rng.standard_normal(tuple(s.shape), dtype=np.float32)),
             jpeg, sized]
    for k in rng.permutation(len(steps)):
        if rng.random() < 0.4:
            s = steps[k](s)
    return s


def pieces(rng):
    """As crops, out of pictures of 1024 pixels, of which only what is needed is painted, made small and large again."""
    high, low, n = [], [], a.batch
    for canvas in huge.canvases(rng, -(-n // 8), 1024):
        for _ in range(8):
            for _ in range(6):  # 64 pixels and 16 around them
                j, i = (4 * int(v) for v in rng.integers(0, 1024 // 4 - 24 + 1, 2))
                c = canvas.window(j, i, 96) / 127.5 - 1
                if c[:, :, 16:80, 16:80].std((2, 3)).max() > 0.05:
                    break
            small = degraded(rng, F.avg_pool2d(c, 4)).clamp(-1, 1)
            high.append(c[:, :, 16:80, 16:80])
            low.append(F.interpolate(small, size=(96, 96), mode="bicubic")[:, :, 16:80, 16:80])
    return torch.cat(high)[:n], torch.cat(low)[:n], int(rng.integers(1 << 62))


def crops(rng):
    """x0 [n,3,64,64] and the enlarged low-resolution picture there, both in -1..1; three crops of each scene."""
    high, low, n = [], [], a.batch
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
    return torch.cat(high)[:n], torch.cat(low)[:n], int(rng.integers(1 << 62))


def either(rng):
    return (pieces if rng.random() < 0.5 else crops)(rng)


planned = batches({256: crops, 1024: pieces, 0: either}[a.to], a, run.number)
for _ in run.steps(a.cool):
    x0, low, seed = next(planned)
    x0, low, rng = x0.to(a.device), low.to(a.device), np.random.default_rng(seed)
    t = torch.from_numpy(rng.integers(0, 1000, a.batch))
    often = torch.from_numpy(rng.random(a.batch) < 0.7)  # the seven steps that upsample takes
    t = torch.where(often, STEPS[torch.from_numpy(rng.integers(0, 7, a.batch))], t)
    t = t.to(a.device)
    noise = diffusion.draw(rng, x0.shape, 0.3, 0.2, a.device)
    xt = diffusion.noised(x0, t, noise)
    with amp(a):
        eps = net(torch.cat((xt, low), 1).contiguous(memory_format=torch.channels_last), t).float()
    err = (eps - noise).square().mean((1, 2, 3))
    main = (diffusion.weight(t) * err).mean()
    main.backward()
    run.step(err.mean().item(), main.item())
    if run.number % 25 == 0:
        run.report(*run.mean)
