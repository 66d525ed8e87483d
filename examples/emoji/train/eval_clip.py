#!/usr/bin/env python3
"""eval_clip.py CACHE MODEL: zero-shot quality on OpenMoji, a style the model never saw, and on the training styles.

MODEL is an exported folder (text_encoder/, image_encoder/, tokenizer/) or a checkpoint (last.pt).
100 names are drawn with a fixed seed, at most 3 of one subgroup; each is shown as OpenMoji draws it,
on white and on one pastel colour.  A class is the mean of five prompts, each normalised.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import data
from model import CLIP
from tokenizer import Tokenizer

TEMPLATES = ["{}", "a {}", "a picture of a {}", "an emoji of a {}", "a photo of a {}."]
GROUNDS = {"white": (255, 255, 255), "pastel green": (214, 234, 214)}


def load(path, device="cpu"):
    path = pathlib.Path(path)
    net = CLIP()
    if path.is_file():
        net.load_state_dict(torch.load(path, map_location="cpu")["net"])
        tok = pathlib.Path(__file__).parent.parent / "tokenizer"
    else:
        from safetensors.torch import load_file
        t = load_file(path / "text_encoder/model.safetensors")
        net.logit_scale.data = t.pop("logit_scale").float()
        net.text.load_state_dict({k: v.float() for k, v in t.items()})
        net.vision.load_state_dict({k: v.float() for k, v in load_file(path / "image_encoder/model.safetensors").items()})
        tok = path / "tokenizer"
    return net.eval().to(device), Tokenizer(tok / "merges.txt")


def pixels(im):
    """What CLIPImageProcessor does: shorter side to 64 (bicubic), centre crop, normalise."""
    w, h = im.size
    s = 64 / min(w, h)
    im = im.convert("RGB").resize((64, int(h * s)) if w <= h else (int(w * s), 64), Image.BICUBIC)
    x, y = (im.width - 64) // 2, (im.height - 64) // 2
    return torch.from_numpy(np.asarray(im.crop((x, y, x + 64, y + 64))).astype(np.float32)).permute(2, 0, 1)


def over(rgba, colour):
    im = Image.new("RGBA", (rgba.shape[1], rgba.shape[0]), (*colour, 255))
    im.alpha_composite(Image.fromarray(np.ascontiguousarray(rgba)))
    return im


@torch.no_grad()
def see(net, ims):
    px = data.normalise(torch.stack([pixels(i) for i in ims]))
    return F.normalize(torch.cat([net.vision(c) for c in px.split(256)]), dim=1)


@torch.no_grad()
def read(net, tok, texts):
    out = []
    for i in range(0, len(texts), 512):
        rows = [tok.encode(t) for t in texts[i:i + 512]]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for k, r in enumerate(rows):
            ids[k, :len(r)] = torch.tensor(r)
        out.append(F.normalize(net.text(ids), dim=1))
    return torch.cat(out)


def classes(net, tok, names, templates=TEMPLATES):
    e = sum(read(net, tok, [t.format(n) for n in names]) for t in templates)
    return F.normalize(e, dim=1)


def choose(things, rows, styles_of, n=100, seed=7):
    rng, per, out = np.random.default_rng(seed), {}, []
    for i in rng.permutation(len(things)):
        sub = things[i]["subgroup"]
        if i in rows and len(styles_of[i]) >= 2 and per.get(sub, 0) < 3:
            per[sub] = per.get(sub, 0) + 1
            out.append(int(i))
        if len(out) == n:
            return out


def score(images, weights, truth):
    r = (images @ weights.T).argsort(1, descending=True)
    hit = r == torch.tensor(truth)[:, None]
    return 100 * hit[:, 0].float().mean().item(), 100 * hit[:, :5].any(1).float().mean().item(), r


def main():
    torch.set_num_threads(2)
    cache = pathlib.Path(sys.argv[1])
    net, tok = load(sys.argv[2])
    c = data.Cache(cache)
    open_rgba = np.load(cache / "openmoji.npy", mmap_mode="r")
    rows = {i: r for r, (i, _) in enumerate(json.load(open(cache / "openmoji.json"))["pictures"])}
    picks = choose(c.things, rows, c.of)
    names = [c.things[i]["name"] for i in picks]
    w = classes(net, tok, names)
    ims, truth = [], []
    for k, i in enumerate(picks):
        for g in GROUNDS.values():
            ims.append(over(open_rgba[rows[i]], g))
            truth.append(k)
    e = see(net, ims)
    one, five, r = score(e, w, truth)
    print(f"openmoji (never trained on), 100 names, {len(ims)} pictures: top-1 {one:.1f} %, top-5 {five:.1f} %")
    o, f, _ = score(e, classes(net, tok, names, ["{}"]), truth)
    print(f"  the bare name as the only prompt: top-1 {o:.1f} %, top-5 {f:.1f} %")
    o, f, _ = score(e, classes(net, tok, names, ["a photo of a {}."]), truth)
    print(f"  'a photo of a {{}}.' as the only prompt: top-1 {o:.1f} %, top-5 {f:.1f} %")
    if "-v" in sys.argv:
        for j, k in enumerate(truth):
            if r[j, 0] != k:
                print("   ", names[k], "->", ", ".join(names[x] for x in r[j, :3]))
    every = classes(net, tok, [t["name"] for t in c.things])
    o, f, _ = score(e, every, [picks[k] for k in truth])
    print(f"  the same pictures against all {len(c.things)} names: top-1 {o:.1f} %, top-5 {f:.1f} %")
    by = {}
    for k, i in enumerate(picks):
        for row in c.of[i]:
            by.setdefault(c.style[row], []).append((row, k))
    total = [0.0, 0.0, 0]
    for style, v in by.items():
        o, f, _ = score(see(net, [over(c.rgba[row], GROUNDS["white"]) for row, _ in v]), w, [k for _, k in v])
        total = [total[0] + o * len(v), total[1] + f * len(v), total[2] + len(v)]
        print(f"  training style {style}: {len(v)} pictures, top-1 {o:.1f} %, top-5 {f:.1f} %")
    print(f"training styles together: {total[2]} pictures, top-1 {total[0] / total[2]:.1f} %, top-5 {total[1] / total[2]:.1f} %")
    a, b = read(net, tok, ["a red apple left of a cat", "a cat left of a red apple"])
    print(f"logit scale {net.logit_scale.exp().item():.1f}; cosine of two texts with the places swapped {float(a @ b):.3f}")


if __name__ == "__main__":
    main()
