#!/usr/bin/env python3
"""train_clip.py CACHE RUN --tokenizer DIR --minutes M: train, with a checkpoint in RUN every few minutes.

The schedule follows the time spent, so that a shared or slow machine still ends
on a cooled-down model; --steps N follows the step count instead (repeatable).
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
import torch.nn.functional as F

import data
from model import CLIP, EMBED, VISION
from run import fast_bf16
from tokenizer import Tokenizer

ap = argparse.ArgumentParser()
ap.add_argument("cache")
ap.add_argument("run")
ap.add_argument("--tokenizer", default=str(pathlib.Path(__file__).parent.parent / "tokenizer"))
ap.add_argument("--minutes", type=float, default=75)
ap.add_argument("--steps", type=int, default=0)
ap.add_argument("--batch", type=int, default=256)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--muon", type=float, default=1.8e-3, help="step size of the block matrices; 0 trains them with AdamW too")
ap.add_argument("--drop", type=float, default=0.65, help="share of the patches left out in the first part")
ap.add_argument("--full", type=float, default=0.9, help="progress from which all patches are kept")
ap.add_argument("--half", type=float, default=1, help="progress up to which batches are half as large")
ap.add_argument("--proto", type=float, default=0.5, help="weight of the loss against one learned vector per thing")
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--stop", type=float, default=0, help="leave after this many minutes of this run (for probes)")
a = ap.parse_args()

torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
run = pathlib.Path(a.run)
run.mkdir(parents=True, exist_ok=True)
cache = data.Cache(a.cache)
maker = data.Maker(cache, Tokenizer(pathlib.Path(a.tokenizer) / "merges.txt"))

net = CLIP()
proto = torch.nn.Parameter(torch.randn(len(cache.things), EMBED) * EMBED**-0.5)
proto_scale = torch.nn.Parameter(torch.tensor(2.6593))
blocks, rest, small = [], [], []
for name, p in net.named_parameters():
    if p.dim() == 2 and ".layers." in name and a.muon:
        blocks.append(p)
    elif p.dim() >= 2:
        rest.append(p)
    else:
        small.append(p)
adam = torch.optim.AdamW([dict(params=rest, weight_decay=0.02), dict(params=small + [proto_scale], weight_decay=0.0), dict(params=[proto], weight_decay=0.0)],
                         lr=a.lr, betas=(0.9, 0.98), eps=1e-6)
opts = [(adam, a.lr)]
if a.muon:
    opts.append((torch.optim.Muon(blocks, lr=a.muon, weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw"), a.muon))
print("parameters", sum(p.numel() for p in net.parameters()), "text", sum(p.numel() for p in net.text.parameters()), flush=True)

step, spent = 0, 0.0
if (run / "last.pt").exists():
    s = torch.load(run / "last.pt")
    net.load_state_dict(s["net"])
    proto.data, proto_scale.data = s["proto"], s["proto_scale"]
    for (o, _), d in zip(opts, s["opts"]):
        o.load_state_dict(d)
    step, spent = s["step"], s["spent"]
    print("going on from step", step, flush=True)


def save():
    s = dict(net=net.state_dict(), proto=proto.data, proto_scale=proto_scale.data, opts=[o.state_dict() for o, _ in opts], step=step, spent=spent, args=vars(a))
    torch.save(s, run / "new.pt")
    os.replace(run / "new.pt", run / "last.pt")


log = open(run / "loss.tsv", "a")
if log.tell() == 0:
    log.write("step\tminutes\tloss\tcontrast\tproto_image\tproto_text\taccuracy\tscale\n")
g = (VISION["size"] // VISION["patch"]) ** 2
mean, began, saved = None, time.time(), time.time()
while True:
    t0 = time.time()
    progress = step / a.steps if a.steps else spent / (60 * a.minutes)
    if progress >= 1 or (a.stop and t0 - began > 60 * a.stop):
        break
    warm = min(1.0, (step + 1) / 100)
    rate = warm * (0.5 + 0.5 * math.cos(math.pi * progress)) * 0.98 + 0.005
    for o, lr in opts:
        for group in o.param_groups:
            group["lr"] = lr * rate * (3 if group["params"][0] is proto else 1)
    rng = np.random.default_rng([a.seed, step])
    size = a.batch // 2 if progress < a.half else a.batch
    px, ids, hide, first, solo, sure = maker.batch(rng, size)
    keep = None
    if progress < a.full and a.drop > 0:
        # leave out patches by lot, plain background twice as readily
        p = VISION["patch"]
        busy = px.mean(1).view(size, VISION["size"] // p, p, -1, p).transpose(2, 3).flatten(3).std(3).flatten(1).numpy() > 4
        keep = torch.from_numpy((rng.random((size, g)) - 0.6 * busy).argsort(1)[:, : round(g * (1 - a.drop))].copy())
    with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16()):
        im = net.vision(data.normalise(px), keep)
        order = ids.argmax(1).argsort()  # short texts apart from long ones: less padding to compute
        tx = torch.cat([net.text(ids[o, : int(ids[o].argmax(1).max()) + 1]) for o in order.chunk(2)])[order.argsort()]
    im, tx = F.normalize(im.float(), dim=1), F.normalize(tx.float(), dim=1)
    logits = net.logit_scale.exp() * im @ tx.T
    logits = logits.masked_fill(hide, -1e4)
    aim = torch.arange(size)
    contrast = (F.cross_entropy(logits, aim) + F.cross_entropy(logits.T, aim)) / 2
    p = F.normalize(proto, dim=1) * proto_scale.exp()
    pi = F.cross_entropy(im[solo] @ p.T, first[solo], label_smoothing=0.05)
    pt = F.cross_entropy(tx[solo & sure] @ p.T, first[solo & sure], label_smoothing=0.05)
    loss = contrast + a.proto * (pi + pt) / 2
    for o, _ in opts:
        o.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(rest + small, 1.0)
    for o, _ in opts:
        o.step()
    with torch.no_grad():
        net.logit_scale.clamp_(0, math.log(100))
        proto_scale.clamp_(0, math.log(40))
    step += 1
    spent += time.time() - t0
    now = np.array([loss.item(), contrast.item(), pi.item(), pt.item(), (logits.argmax(1) == aim).float().mean().item()])
    mean = now if mean is None else mean * 0.95 + now * 0.05
    if step % 25 == 0:
        row = f"{step}\t{spent / 60:.2f}\t" + "\t".join(f"{v:.4f}" for v in mean) + f"\t{net.logit_scale.exp().item():.2f}"
        log.write(row + "\n")
        log.flush()
        print(row, f"{time.time() - t0:.2f}s/step", flush=True)
    if time.time() - saved > 180:
        save()
        saved = time.time()
save()
json.dump(dict(step=step, minutes=spent / 60, args=vars(a)), open(run / "done.json", "w"), indent=1)
