#!/usr/bin/env python3
"""train_vq.py CACHE RUN: the picture code of the DALL-E in the box, 128 pixels as 16 x 16 of 1,024 codes.  Needs CACHE/large.npy.

Loss: absolute error of pixels and of their differences to the right and below, which flat drawings with crisp edges live by, and
a quarter of the squared distance to the code.  The codes are moving averages of what is rounded to them (van den Oord et al. 2017);
one that is used too rarely becomes a vector of the batch.  The log has the perplexity of the codes: of 1,024, how many are in use.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import numpy as np
import torch

import catalog
import data
from run import Run, amp, batches, options
from vqgan import VQ, VQModel

a = options("cache", "run", minutes=60.0, batch=8, chosen=(2, "0: all things, 1: FIRST, 2: CHOSEN"), styles=(3, "of catalog.FLAT for the chosen things"),
            share=(0.8, "of the samples that the chosen things get"), cool=(0.4, "part of the time in which the step size falls"))
scenes = data.Scenes(a.cache, ("", catalog.FIRST, catalog.CHOSEN)[a.chosen], large="large", share=a.share, styles=a.styles)
net = VQModel().to(a.device)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
book = net.quantize.embedding.weight
count, total = torch.ones(len(book), device=a.device), None
run = Run(a, net, ["pixels", "edges", "distance", "perplexity"])
rgba = scenes.pixels(a.device)
encode, decode = (torch.compile(f) if a.compile else f for f in (net.encode, net.decode))
if run.number:
    total = book.data.clone()


def plan(rng):
    return *scenes.plan(rng, a.batch)[:2], int(rng.integers(1 << 62))


def see(layers, grounds):
    return (data.compose(rgba(layers), layers, grounds, VQ["resolution"]) / 127.5 - 1).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def learn(h, k, rng):
    """The codes follow the vectors h that are rounded to them, k."""
    n = torch.zeros_like(count).index_add_(0, k, torch.ones_like(h[:, 0]))
    count.mul_(0.98).add_(n, alpha=0.02)
    total.mul_(0.98).index_add_(0, k, h, alpha=0.02)
    book.copy_(total / count.clamp_min(1e-6)[:, None])
    rare = (count < 0.02 * count.mean()).nonzero().flatten()
    if len(rare):
        new = h[torch.from_numpy(rng.integers(0, len(h), len(rare))).to(h.device)]
        book[rare], total[rare], count[rare] = new, new * count.mean(), count.mean()
    p = n / n.sum()
    return (-(p * p.clamp_min(1e-12).log()).sum()).exp().item()


def differences(x):
    return x[:, :, :, 1:] - x[:, :, :, :-1], x[:, :, 1:] - x[:, :, :-1]


SHOWN = scenes.plan(np.random.default_rng([a.seed, 1, 1]), a.shown // 2)[:2]


@torch.no_grad()
def samples():
    """Pictures and, after them, what is left of them."""
    x = see(*SHOWN)
    with amp(a):
        y = net.decode(book[net.codes(net.encode(x))])
    return torch.cat((x, y.float()))


planned = batches(plan, a, run.number)
for _ in run.steps(a.cool):
    layers, grounds, seed = next(planned)
    x, rng = see(layers, grounds), np.random.default_rng(seed)
    with amp(a):
        h = encode(x).float()
        flat = h.detach().reshape(-1, h.shape[3])
        if total is None:  # the first codes are vectors of the first batch
            book.data.copy_(flat[torch.from_numpy(rng.integers(0, len(flat), len(book))).to(flat.device)])
            total = book.data.clone()
        k = net.codes(h)
        q = book[k]
        y = decode(h + (q - h).detach()).float()
    pixels, far = (y - x).abs().mean(), (h - q).square().mean()
    edges = sum((u - v).abs().mean() for u, v in zip(differences(y), differences(x)))
    (pixels + 0.5 * edges + 0.25 * far).backward()
    used = learn(flat, k.flatten(), rng)
    run.step(pixels.item(), edges.item(), far.item(), used)
    run.sheet(samples)
    if run.number % 25 == 0:
        run.report(*run.mean)
run.end(samples)
