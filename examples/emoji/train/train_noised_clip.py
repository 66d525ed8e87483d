#!/usr/bin/env python3
"""train_noised_clip.py CACHE CLIP RUN: a CLIP that reads noisy pictures, out of the one in the exported folder CLIP (GLIDE's layout, noised_clip.py).

The image tower begins with some of the old one's blocks, the text tower anew and narrow.  They are to give the old ones' embeddings: of the clean
picture from the noisy one at any timestep, and of the text; on top of it the contrastive loss among the pictures and texts of the batch.  RUN/noised_clip holds the weights when it ends.
Start it again with the same arguments to go on from RUN/last.pt.
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import catalog
import conditions
import data
import diffusion
import eval_clip
from noised_clip import Image, Text
from run import Run, amp, batches, options
from stored import stored

a = options("cache", "clip", "run", minutes=30.0, batch=64, chosen=(2, "0: all things, 1: FIRST, 2: CHOSEN"), styles=(3, "of catalog.FLAT for the chosen things"),
            share=(0.5, "of the samples that the chosen things get"), cool=(0.6, "part of the time in which the step size falls"))
scenes = data.Scenes(a.cache, ("", catalog.FIRST, catalog.CHOSEN)[a.chosen], share=a.share, styles=a.styles)
clip, tok = eval_clip.load(a.clip)
net = torch.nn.ModuleDict(dict(image=Image(clip), text=Text())).to(a.device)
clip = clip.to(a.device)
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
a.muon = 0.0  # small changes of what is there
run = Run(a, net, ["image", "text", "contrast", "cosine_at_500"])
rgba = scenes.pixels(a.device)


def plan(rng):
    layers, grounds, texts = scenes.plan(rng, a.batch)
    same = torch.tensor([[s == t for s in texts] for t in texts])
    return layers, grounds, *conditions.padded(tok, texts), same, int(rng.integers(1 << 62))


planned = batches(plan, a, run.number)
for _ in run.steps(a.cool):
    layers, grounds, ids, mask, same, seed = next(planned)
    rng, ids, mask = np.random.default_rng(seed), ids.to(a.device), mask.to(a.device)
    px = data.compose(rgba(layers), layers, grounds, 64)
    n = len(px)
    t = torch.from_numpy(((rng.random() + rng.permutation(n)) / n * 1000).astype(np.int64)).to(a.device)
    with torch.no_grad(), amp(a):
        want = F.normalize(clip.vision(data.normalise(px)).float(), dim=1)
        said = F.normalize(conditions.of_ids(clip, ids, mask)[0], dim=1)
    x0 = px / 127.5 - 1
    with amp(a):
        z = net.image(diffusion.noised(x0, t, diffusion.draw(rng, x0.shape, 0.0, device=a.device)), t)
        w = net.text(ids, mask)
    z, w = F.normalize(z.float(), dim=1), F.normalize(w.float(), dim=1)
    near, text = (z * want).sum(1), (w * said).sum(1)
    logits = clip.logit_scale.exp() * z @ w.T
    logits = logits.masked_fill(same.to(a.device) & ~torch.eye(n, dtype=torch.bool, device=a.device), -1e4)
    aim = torch.arange(n, device=a.device)
    contrast = (F.cross_entropy(logits, aim) + F.cross_entropy(logits.T, aim)) / 2
    ((1 - near).mean() + (1 - text).mean() + 0.1 * contrast).backward()
    at = (t - 500).abs() < 150
    run.step((1 - near).mean().item(), (1 - text).mean().item(), contrast.item(), near[at].mean().item() if at.any() else 0.0)
    if run.number % 25 == 0:
        run.report(*run.mean)
run.ema.swap(net)
out = pathlib.Path(a.run) / "noised_clip"
out.mkdir(exist_ok=True)
for name in ("image", "text"):
    save_file({k: stored(v) for k, v in net[name].state_dict().items()}, out / f"clip_{name}_enc.safetensors", metadata={"format": "pt"})
print("wrote", out, flush=True)
