#!/usr/bin/env python3
"""train_ar_prior.py CACHE CLIP POOL RUN: the autoregressive prior (ar_prior.py) from POOL/pool.pt, which train_prior.py has made.

As many components as hold 99 % of the variance; edges are the lowest and highest coefficient of the pool with a hundredth to spare.
A tenth of the captions are left out.  RUN/ar_prior holds config.json and model.safetensors when it ends.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import conditions
import eval_clip
from ar_prior import AR, ARPrior
from run import Run, amp, options

a = options("cache", "clip", "pool", "run", minutes=30.0, batch=128, cool=(0.5, "part of the time in which the step size falls"))
pool = torch.load(pathlib.Path(a.pool) / "pool.pt")
clip, tok = eval_clip.load(a.clip, a.device)
held = len(pool["image"]) // 40
x = pool["image"][:-held].double()
mean = x.mean(0)
values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
values, vectors = values.flip(0), vectors.flip(1)
k = int((values.cumsum(0) / values.sum() < 0.99).sum()) + 1
net = ARPrior(k, **AR)
net.pca.mean.data, net.pca.components.data = mean.float(), vectors[:, :k].T.float().contiguous()
c = (pool["image"] - net.pca.mean) @ net.pca.components.T
room = 0.01 * (c.max(0).values - c.min(0).values)
net.code.edges.data = torch.stack((c.min(0).values - room, c.max(0).values + room), 1)


@torch.no_grad()
def told(rows, drop):
    ids, length = pool["ids"][rows].long(), pool["length"][rows].clone()
    ids[drop] = 0
    ids[drop, :2] = torch.tensor([tok.sot, tok.eot])
    length[drop] = 2
    ids = ids[:, : int(length.max())]
    with amp(a):
        return conditions.of_ids(clip, ids.to(a.device), (torch.arange(ids.shape[1]) < length[:, None]).to(a.device))


none = torch.zeros(500, dtype=torch.bool)
text = torch.cat([told(r, none[: len(r)])[0].cpu() for r in torch.arange(len(pool["image"])).split(500)])
near = (F.normalize(text, dim=1) * F.normalize(pool["image"], dim=1)).sum(1)  # the dot product, of vectors of length 1
net.dot.edges.data = torch.stack((near.min() - 0.01, near.max() + 0.01))
dots, codes = net.bucket(near, net.dot.edges), net.codes(pool["image"])
net.dot.histogram.data = torch.bincount(dots, minlength=AR["buckets"]).float() / len(dots)
lost = (net.embedding(codes) - pool["image"]).square().sum() / (pool["image"] - net.pca.mean).square().sum()
net = net.to(a.device)
print(f"{k} components; codes lose {100 * lost:.2f} % of the variance; parameters {sum(p.numel() for p in net.parameters())}", flush=True)
run = Run(a, net, ["loss", "held_out"], 0.998)


def loss(rows, drop):
    d, c = dots[rows].to(a.device), codes[rows].to(a.device)
    with amp(a):
        out = net(*told(rows, drop), d, c[:, :-1])
    return F.cross_entropy(out.flatten(0, 1), torch.cat((d[:, None], c), 1).flatten())


for _ in run.steps(a.cool):
    rng = run.rng(3)
    rows = torch.from_numpy(rng.choice(len(codes) - held, a.batch, replace=False))
    l = loss(rows, torch.from_numpy(rng.random(a.batch) < 0.1))
    l.backward()
    run.step(l.item())
    if run.number % 50 == 0:
        run.ema.swap(net)
        with torch.no_grad():
            out = loss(torch.arange(len(codes) - min(held, 256), len(codes)), torch.zeros(min(held, 256), dtype=torch.bool)).item()
        run.ema.swap(net)
        run.report(run.mean[0], out)
run.ema.swap(net)
out = pathlib.Path(a.run) / "ar_prior"
out.mkdir(exist_ok=True)
save_file({n: v.detach().half().contiguous().cpu() if not n.startswith(("pca", "code.", "dot.")) else v.detach().float().contiguous().cpu()
           for n, v in net.state_dict().items()}, out / "model.safetensors", metadata={"format": "pt"})
config = dict(_class_name="ARPriorTransformer", num_attention_heads=AR["heads"], attention_head_dim=AR["head"], num_layers=AR["layers"],
              embedding_dim=AR["embed"], num_embeddings=AR["text"], num_codes=k, num_buckets=AR["buckets"])
(out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
print("wrote", out, flush=True)
