#!/usr/bin/env python3
"""train_glide.py CACHE RUN: a small GLIDE that inpaints, with its text transformer (glide.py).

What is given of a picture: nothing in half of the samples, else all but a box, a disc or a half.  A fifth of the captions are left
out.  --weights FOLDER begins with the weights of such a folder.
RUN/glide holds the weights under OpenAI's names, encoder.json and vocab.bpe when it ends.  Start it again to go on from RUN/last.pt.
"""
import collections
import json
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import catalog
import data
import diffusion
from glide import TEXT, Glide, Words, learn_words, original, restore, settings
from run import Run, amp, batches, options
from stored import stored

a = options("cache", "run", minutes=60.0, batch=16, weights="", chosen=(2, "0: all things, 1: FIRST, 2: CHOSEN"),
            styles=(1, "of catalog.FLAT for the chosen things"), share=(0.95, "of the samples that the chosen things get"), favour=(0.0, "how much of that is for NAMING above its due"),
            cool=(0.4, "part of the time in which the step size falls"), words=(1700, "merges of the tokenizer"))
folder = pathlib.Path(a.run)
scenes = data.Scenes(a.cache, ("", catalog.FIRST, catalog.CHOSEN)[a.chosen], share=a.share, styles=a.styles, favour=a.favour)
if a.weights and not (folder / "merges.json").exists():
    lines = (pathlib.Path(a.weights) / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]
    json.dump([m.split() for m in lines], open(folder / "merges.json", "w"))
if not (folder / "merges.json").exists():
    rng, counts, split = np.random.default_rng([a.seed, 7]), collections.Counter(), Words([]).split
    for _ in range(20):
        for t in scenes.plan(rng, 500)[2]:
            counts.update(split.findall(t.lower()))
    json.dump(learn_words(counts, a.words).merges, open(folder / "merges.json", "w"))
words = Words([tuple(m) for m in json.load(open(folder / "merges.json"))])
net = Glide(len(words.id))
if a.weights:
    restore(net, load_file(pathlib.Path(a.weights) / "base_inpaint.safetensors"))
net = net.to(a.device)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
run = Run(a, net, ["loss", "weighted"])
rgba = scenes.pixels(a.device)
fast = torch.compile(net) if a.compile else net
unknown = words.encode("")


def mask(rng):
    """[1,64,64]: 1 where the picture is given."""
    m, kind = np.ones((64, 64), np.float32), rng.random()
    if kind < 0.5:
        m[:] = 0
    elif kind < 0.75:
        h, w = rng.integers(12, 49, 2)
        y, x = rng.integers(0, 65 - h), rng.integers(0, 65 - w)
        m[y:y + h, x:x + w] = 0
    elif kind < 0.9:
        y, x = np.mgrid[:64, :64] + 0.5
        m[(y - rng.uniform(12, 52)) ** 2 + (x - rng.uniform(12, 52)) ** 2 < rng.uniform(8, 26) ** 2] = 0
    else:
        k, n = rng.integers(4), rng.integers(20, 45)
        m = np.rot90(np.vstack((np.zeros((n, 64), np.float32), np.ones((64 - n, 64), np.float32))), k).copy()
    return m[None]


def plan(rng):
    layers, grounds, texts = scenes.plan(rng, a.batch)
    ids = torch.tensor([unknown if rng.random() < 0.2 else words.encode(t) for t in texts])
    return layers, grounds, ids, torch.from_numpy(np.stack([mask(rng) for _ in texts])), int(rng.integers(1 << 62))


def see(layers, grounds):
    return (data.compose(rgba(layers), layers, grounds, 64) / 127.5 - 1).contiguous(memory_format=torch.channels_last)


LAYERS, GROUNDS, TEXTS = scenes.plan(np.random.default_rng([a.seed, 1, 1]), a.shown // 2)
HALF = torch.cat((torch.ones(1, 64, 32), torch.zeros(1, 64, 32)), 2).expand(len(TEXTS), 1, 64, 64)


@torch.no_grad()
def samples():
    """From the text alone, then with the left half given; 50 steps, guidance of 3."""
    x0 = see(LAYERS, GROUNDS)
    ids = torch.tensor([words.encode(t) for t in TEXTS] * 2 + [unknown] * 2 * len(TEXTS), device=a.device)
    known, given = torch.cat((x0, x0)), torch.cat((torch.zeros_like(HALF), HALF)).to(a.device)
    keep = lambda v: torch.cat((v, v))

    def predict(x, t, last):
        with amp(a):
            one, none = net(keep(x), torch.full((2 * len(x),), t, device=a.device), ids, keep(known), keep(given))[:, :3].float().chunk(2)
        return none + 3 * (one - none)

    g = torch.Generator().manual_seed(7)
    return diffusion.sample(predict, torch.randn(known.shape, generator=g).to(a.device), 50, rng=g)


planned = batches(plan, a, run.number)
for _ in run.steps(a.cool):
    layers, grounds, ids, given, seed = next(planned)
    rng, x0 = np.random.default_rng(seed), see(layers, grounds)
    t = torch.from_numpy(((rng.random() + rng.permutation(len(x0))) / len(x0) * 1000).astype(np.int64)).to(a.device)
    noise = diffusion.draw(rng, x0.shape, 0.15, device=a.device)
    with amp(a):
        eps = fast(diffusion.noised(x0, t, noise), t, ids.to(a.device), x0, given.to(a.device))[:, :3].float()
    err = (eps - noise).square().mean((1, 2, 3))
    main = (diffusion.weight(t) * err).mean()
    main.backward()
    run.step(err.mean().item(), main.item())
    run.sheet(samples)
    if run.number % 25 == 0:
        run.report(*run.mean)
run.end(samples)
out = folder / "glide"
out.mkdir(exist_ok=True)
run.ema.swap(net)
with torch.no_grad():  # the variance was not learned: what the posterior's is
    net.unet.conv_out.weight[3:], net.unet.conv_out.bias[3:] = 0, -1
words.save(out)
settings(out)
save_file({k: stored(v) for k, v in original(net).items()}, out / "base_inpaint.safetensors", metadata={"format": "pt"})
print("wrote", out, flush=True)
