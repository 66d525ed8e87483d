#!/usr/bin/env python3
"""train_dalle.py CACHE VQ RUN: the transformer of the DALL-E in the box, over the codes of VQ (a checkpoint of train_vq.py).

First the tokenizer is learned (RUN/bpe.model) and a pool of scenes is painted and encoded (RUN/pool.pt).  Loss: (text + 7 picture) / 8, as in
the paper; merges of the tokenizer are left out by lot (one in ten), and a tenth of the captions altogether, so that guidance works.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import pathlib

import numpy as np
import torch

import catalog
import data
from dalle import DALLE, Dalle, Words, learn_words, sample
from run import Run, amp, batches, options
from vqgan import VQ, VQModel

a = options("cache", "vq", "run", minutes=60.0, batch=32, pool=(20000, "scenes"), chosen=(2, "0: all things, 1: FIRST, 2: CHOSEN"),
            styles=(3, "of catalog.FLAT for the chosen things"), share=(0.95, "of the samples that the chosen things get"),
            cool=(0.5, "part of the time in which the step size falls"))
folder = pathlib.Path(a.run)
vq = VQModel().to(a.device)
s = torch.load(a.vq, map_location=a.device)
vq.load_state_dict(s["net"])
for p, v in zip(vq.parameters(), s["ema"], strict=True):
    if p.requires_grad:
        p.data.copy_(v)
scenes = data.Scenes(a.cache, ("", catalog.FIRST, catalog.CHOSEN)[a.chosen], large="large", share=a.share, styles=a.styles)
if not (folder / "bpe.model").exists():
    rng = np.random.default_rng([a.seed, 7])
    (folder / "bpe.model").write_text(learn_words([t for _ in range(40) for t in scenes.plan(rng, 500)[2]], DALLE["units"]), encoding="utf-8")
words = Words((folder / "bpe.model").read_text(encoding="utf-8"))


@torch.no_grad()
def make_pool():
    codes, texts, rgba = [], [], scenes.pixels(a.device)
    for i in range(-(-a.pool // 100)):
        layers, grounds, t = scenes.plan(np.random.default_rng([a.seed, 1, i]), 100)
        x = (data.compose(rgba(layers), layers, grounds, VQ["resolution"]) / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        with amp(a):
            codes.append(vq.codes(vq.encode(x)).flatten(1).short().cpu())
        texts += t
        if i % 20 == 0:
            print("pool", len(texts), flush=True)
    torch.save(dict(codes=torch.cat(codes), texts=texts), folder / "pool.pt")


if not (folder / "pool.pt").exists():
    make_pool()
pool = torch.load(folder / "pool.pt", weights_only=False)
net = Dalle().to(a.device)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
run = Run(a, net, ["text", "picture", "held_out"], 0.998)
held = len(pool["texts"]) // 40
net.masks = [m.to(a.device) for m in net.masks]
loss = torch.compile(net.loss) if a.compile else net.loss


def plan(rng):
    rows = rng.integers(0, len(pool["texts"]) - held, a.batch)
    text = [words.encode("" if rng.random() < 0.1 else pool["texts"][r], DALLE["text"], rng, 0.1) for r in rows]
    return torch.tensor(text), pool["codes"][rows].long()


@torch.no_grad()
def samples():
    texts = pool["texts"][-a.shown:]
    with amp(a):
        k = sample(net, torch.tensor([words.encode(t, DALLE["text"]) for t in texts], device=a.device), torch.Generator().manual_seed(5))
        return vq.decode(vq.quantize.embedding.weight[k.view(len(k), DALLE["side"], DALLE["side"])]).float()


out = float("nan")
planned = batches(plan, a, run.number)
for _ in run.steps(a.cool):
    text, image = (v.to(a.device) for v in next(planned))
    with amp(a):
        words_loss, image_loss = loss(text, image)
    ((words_loss + 7 * image_loss) / 8).backward()
    run.step(words_loss.item(), image_loss.item())
    run.sheet(samples)
    if run.number % 50 == 0:
        run.ema.swap(net)
        with torch.no_grad(), amp(a):
            text = torch.tensor([words.encode(t, DALLE["text"]) for t in pool["texts"][-min(held, 64):]], device=a.device)
            out = net.loss(text, pool["codes"][-min(held, 64):].long().to(a.device))[1].item()
        run.ema.swap(net)
        run.report(*run.mean, out)
run.end(samples)
