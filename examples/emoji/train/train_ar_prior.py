#!/usr/bin/env python3
"""train_ar_prior.py CACHE CLIP POOL RUN: the autoregressive prior (ar_prior.py) from POOL/pool.pt, which train_prior.py has made.

As many components as hold 99 % of the variance; edges are the lowest and highest coefficient of the pool with a hundredth to spare.
A tenth of the captions are left out.  RUN/ar_prior/prior holds config.json and model.safetensors when it ends.
It begins with a regression (ar_start.py), which --steps 0 leaves out, and which alone is what --minutes 0 writes.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import ar_start
import conditions
import eval_clip
from ar_prior import AR, ARPrior
from run import Run, amp, options
from stored import stored

a = options("cache", "clip", "pool", "run", minutes=30.0, batch=128, weights=("", "an exported folder to go on from: it has no smooth tables any more"), cool=(0.5, "part of the time in which the step size falls"),
            steps=(1500, "of the regression that it begins with"), waves=(96, "cosines of which the tables of buckets consist"), bound=(0, "no more components than these; 0: as many as it takes"))
pool = torch.load(pathlib.Path(a.pool) / "pool.pt")
clip, tok = eval_clip.load(a.clip, a.device)
held = len(pool["image"]) // 40
x = pool["image"][:-held].double()
mean = x.mean(0)
values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
values, vectors = values.flip(0), vectors.flip(1)
k = int((values.cumsum(0) / values.sum() < 0.99).sum()) + 1
k = min(k, a.bound) if a.bound else k
old = load_file(pathlib.Path(a.weights) / "ar_prior" / "prior" / "model.safetensors") if a.weights else None
if old:
    k, a.steps, a.waves = len(old["pca.components"]), 0, 0
net = ARPrior(k, **AR, waves=a.waves)
net.pca.mean.data, net.pca.components.data = mean.float(), vectors[:, :k].T.float().contiguous()
c = (pool["image"] - net.pca.mean) @ net.pca.components.T
room = 0.01 * (c.max(0).values - c.min(0).values)
net.code.edges.data = torch.stack((c.min(0).values - room, c.max(0).values + room), 1)


@torch.no_grad()
def told(ids):
    """Embeddings and states of captions."""
    with amp(a):
        embeds, states, _ = conditions.of_ids(clip, ids.long().to(a.device), None)
    return embeds.cpu(), states.cpu()


embeds, states = torch.zeros(len(x) + held, AR["embed"]), torch.zeros(*pool["ids"].shape, AR["embed"])
kept = pathlib.Path(a.run) / "told.pt"
if kept.exists():
    embeds, states = torch.load(kept)
else:
    for rows in pool["length"].argsort().split(500):  # short captions apart from long ones
        n = int(pool["length"][rows].max())
        embeds[rows], states[rows, :n] = told(pool["ids"][rows, :n])
    if a.device == "cpu":
        torch.save((embeds, states), kept)
empty = told(torch.tensor([[tok.sot, tok.eot]]))
near = (F.normalize(embeds, dim=1) * F.normalize(pool["image"], dim=1)).sum(1)  # the dot product, of vectors of length 1
net.dot.edges.data = torch.stack((near.min() - 0.01, near.max() + 0.01))
if old:
    net.load_state_dict({n: v.float() for n, v in old.items()})
dots, codes = net.bucket(near, net.dot.edges), net.codes(pool["image"])
every = torch.cat((dots[:, None], codes), 1)[:-held]
count = torch.stack([torch.bincount(v, minlength=AR["buckets"]) for v in every.T]).float()
if not old:
    net.dot.histogram.data = count[0] / len(every)
blur = torch.exp(-0.5 * (torch.arange(-24, 25) / 8.0) ** 2)
often = (F.conv1d(count[:, None], (blur / blur.sum()).view(1, 1, -1), padding=24)[:, 0] + 0.02).log()  # how often each is met at all
if not old:
    net.position_logits.data = often - often.logsumexp(1, keepdim=True)
if a.steps:
    print(f"regression leaves {100 * ar_start.begin(net, embeds, pool['image'], near, held, a.steps):.2f} % of the variance", flush=True)
lost = (net.embedding(codes) - pool["image"]).square().sum() / (pool["image"] - net.pca.mean).square().sum()
net = net.to(a.device)
print(f"{k} components; codes lose {100 * lost:.2f} % of the variance; parameters {sum(v.numel() for v in net.tensors().values())}", flush=True)
run = Run(a, net, ["loss", "held_out"], 0.99)


def loss(rows, drop, each=False):
    d, c, n = dots[rows].to(a.device), codes[rows].to(a.device), pool["length"][rows].clone()
    e, s = embeds[rows].clone(), states[rows, : int(n.max())].clone()
    e[drop], s[drop, :2], n[drop] = empty[0], empty[1], 2
    mask = (torch.arange(s.shape[1]) < n[:, None]).to(a.device)
    with amp(a):
        out = net(e.to(a.device), s.to(a.device), mask, d, c[:, :-1])
    l = F.cross_entropy(out.flatten(0, 1), torch.cat((d[:, None], c), 1).flatten(), reduction="none")
    if each:
        print(l.view(len(d), -1).mean(0))
    return l.mean()


@torch.no_grad()
def measure(n=96):
    """The loss of captions that were kept aside."""
    run.ema.swap(net)
    out = loss(torch.arange(len(codes) - n, len(codes)), torch.zeros(n, dtype=torch.bool)).item()
    run.ema.swap(net)
    return out


print(f"loss at the beginning {measure():.4f}", flush=True)
for _ in run.steps(a.cool) if a.minutes or a.until else ():
    rng = run.rng(3)
    rows = torch.from_numpy(rng.choice(len(codes) - held, a.batch, replace=False))
    rows = rows[pool["length"][rows].argsort()]
    drop, total = torch.from_numpy(rng.random(a.batch) < 0.1), 0.0
    for part in torch.arange(a.batch).chunk(1 + a.batch // (32 if a.device == "cpu" else 256)):  # short captions apart from long ones
        l = loss(rows[part], drop[part]) * len(part) / a.batch
        l.backward()
        total += l.item()
    run.step(total)
    if run.number % 50 == 0:
        run.report(run.mean[0], measure())
run.ema.swap(net)
out = pathlib.Path(a.run) / "ar_prior" / "prior"
out.mkdir(parents=True, exist_ok=True)
save_file({n: (v if n.startswith(("pca", "code.", "dot.")) else stored(v)).detach().contiguous().cpu() for n, v in net.tensors().items()},
          out / "model.safetensors", metadata={"format": "pt"})
config = dict(_class_name="ARPriorTransformer", num_attention_heads=AR["heads"], attention_head_dim=AR["head"], num_layers=AR["layers"],
              embedding_dim=AR["embed"], num_embeddings=AR["text"], num_codes=k, num_buckets=AR["buckets"])
(out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
print("wrote", out, flush=True)
