#!/usr/bin/env python3
"""train_decoder.py CACHE CLIP RUN: text_proj and the 64-pixel decoder, conditioned on the towers of CLIP (a checkpoint or an exported folder).

--weights FOLDER begins with the weights of an exported folder; --chosen 1 or 2 is for the few things of catalog.FIRST or CHOSEN.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import numpy as np
import torch

import catalog
import conditions
import data
import diffusion
import eval_clip
from model import EMBED
from run import Run, amp, batches, options
from unet import DECODER, TextProj, UNet

a = options("cache", "clip", "run", minutes=120.0, small=(0.0, "progress up to which pictures have 32 pixels"),
            batch=(16, "samples of 64 pixels; twice as many of 32"), weights="", chosen=(2, "0: all things, 1: FIRST, 2: CHOSEN"),
            styles=(3, "of catalog.FLAT for the chosen things"), share=(0.9, "of the samples that the chosen things get"),
            favour=(0.0, "how much of that is for NAMING above its due"), variance=(0.0, "weight of the learned variance's bound"),
            noise=(0.3, "largest error of the embedding, in deviations"), cool=(0.35, "part of the time in which the step size falls"))
scenes = data.Scenes(a.cache, ("", catalog.FIRST, catalog.CHOSEN)[a.chosen], share=a.share, styles=a.styles, favour=a.favour)
clip, tok = eval_clip.load(a.clip, a.device)
net = torch.nn.ModuleDict(dict(unet=UNet(DECODER), proj=TextProj(EMBED, 4 * DECODER["widths"][0], DECODER["context"])))
if a.weights:
    net["unet"].load_state_dict(conditions.shipped(a.weights, "decoder"))
    net["proj"].load_state_dict(conditions.shipped(a.weights, "text_proj"))
net = net.to(a.device)
print("parameters", {k: sum(p.numel() for p in m.parameters()) for k, m in net.items()}, flush=True)
run = Run(a, net, ["side", "loss", "weighted", "variance"])
rgba = scenes.pixels(a.device)
unet = torch.compile(net.unet) if a.compile else net.unet


def plan(rng):
    """One batch, before anything is painted."""
    n = 2 * a.batch if a.small else a.batch
    layers, grounds, texts = scenes.plan(rng, n)
    told = ["" if rng.random() < 0.5 else t for t in texts]
    return layers, grounds, *conditions.padded(tok, told, 48 if a.compile else 0), int(rng.integers(1 << 62)), texts


def times(rng, n):
    """Timesteps spread evenly over a density, and one over it; below 268, where the loss weighs little, there are fewer."""
    u, cut, less = (rng.random() + rng.permutation(n)) / n, 268, 0.35
    mass = cut * less + 1000 - cut
    t = np.where(u * mass < cut * less, u * mass / less, cut + u * mass - cut * less)
    return torch.from_numpy(t.astype(np.int64).clip(0, 999)), torch.from_numpy(np.where(t < cut, mass / less, mass) / 1000).float()


@torch.no_grad()
def see(layers, grounds):
    """The pictures, -1 to 1, and their embeddings."""
    px = data.compose(rgba(layers), layers, grounds, 64)
    with amp(a):
        return (px / 127.5 - 1).contiguous(memory_format=torch.channels_last), clip.vision(data.normalise(px)).float()


@torch.no_grad()
def told(ids, mask):
    with amp(a):
        return conditions.of_ids(clip, ids.to(a.device), mask.to(a.device))


FIXED = np.random.default_rng([a.seed, 1, 1])
LAYERS, GROUNDS, TEXTS = scenes.plan(FIXED, a.shown)
spread = see(*scenes.plan(FIXED, 128)[:2])[1].std(0)  # how far embeddings are from each other, for the error that the prior's have


@torch.no_grad()
def samples():
    """The fixed scenes from their own embeddings and captions, 25 steps, guidance of 3."""
    _, image = see(LAYERS, GROUNDS)
    c = told(*conditions.padded(tok, TEXTS + [""] * len(TEXTS)))
    free = net.proj.learned_classifier_free_guidance_embeddings.expand(len(image), -1)
    with amp(a):
        add, ctx, m = net.proj(torch.cat((image, free)), *c)

    def predict(x, t, last):
        with amp(a):
            out = net.unet(torch.cat((x, x)), torch.full((2 * len(x),), t, device=a.device), add, ctx, m).float()
        one, none = out.chunk(2)
        return torch.cat((none[:, :3] + 3 * (one[:, :3] - none[:, :3]), one[:, 3:]), 1)

    g = torch.Generator().manual_seed(7)
    return diffusion.sample(predict, torch.randn(len(image), 3, 64, 64, generator=g).to(a.device), 25, rng=g)


planned = batches(plan, a, run.number)
for progress in run.steps(a.cool):
    layers, grounds, ids, mask, seed, _ = next(planned)
    rng = np.random.default_rng(seed)
    x0, image = see(layers, grounds)
    text, states, mask = told(ids, mask)
    if progress < a.small:
        x0 = torch.nn.functional.avg_pool2d(x0, 2)
    elif a.small:
        x0, image, text, states, mask = (v[: a.batch] for v in (x0, image, text, states, mask))
    n = len(x0)
    size = torch.from_numpy(rng.uniform(0, a.noise, (n, 1)) * (rng.random((n, 1)) < 0.5)).float().to(a.device)
    image = image + size * spread * torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32)).to(a.device)
    t, over = (v.to(a.device) for v in times(rng, n))
    noise = diffusion.draw(rng, x0.shape, 0.15, device=a.device)
    xt = diffusion.noised(x0, t, noise).contiguous(memory_format=torch.channels_last)
    drop = torch.from_numpy(rng.random(n) < 0.1)[:, None].to(a.device)
    with amp(a):
        add, ctx, m = net.proj(torch.where(drop, net.proj.learned_classifier_free_guidance_embeddings, image), text, states, mask)
        eps, v = unet(xt, t, add, ctx, m).float().chunk(2, 1)
    err = (eps - noise).square().mean((1, 2, 3))
    main = (over * diffusion.weight(t) * err).mean()
    var = diffusion.variance_loss(v, eps.detach(), x0, xt, t).mean() if a.variance else torch.zeros(())
    (main + a.variance * var if a.variance else main).backward()
    run.step(err.mean().item(), main.item(), var.item())
    run.sheet(samples)
    if run.number % 25 == 0:
        run.report(str(x0.shape[2]), *run.mean)
run.end(samples)
