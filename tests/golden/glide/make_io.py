#!/usr/bin/env python3
"""make_io.py - record what openai/glide-text2im makes of the tiny networks that make_glide writes

    build/tests/make_glide -t DIR
    tests/golden/glide/make_io.py GLIDE_TEXT2IM DIR tests/golden/glide

GLIDE_TEXT2IM is a checkout of openai/glide-text2im (@69b530740eb6). Needs PyTorch, safetensors, numpy, Pillow, attrs and regex. Writes
vocab.bpe, encoder.json and tok_cases.json (a small vocabulary in GPT-2's format, and what the reference's Encoder makes of
texts), io_NAME.safetensors for each network, seeded.safetensors and seeded_edit.safetensors (whole runs from torch.manual_seed).
"""
import collections
import json
import math
import os
import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
import regex
import torch as th
from PIL import Image
from safetensors.numpy import load_file, save_file

from glide_text2im.clip.encoders import ImageEncoder, TextEncoder
from glide_text2im.clip.model_creation import CLIPModel
from glide_text2im.gaussian_diffusion import get_named_beta_schedule
from glide_text2im.respace import SpacedDiffusion, space_timesteps
from glide_text2im.text2im_model import (InpaintText2ImUNet, SuperResInpaintText2ImUnet, SuperResText2ImUNet, Text2ImUNet)
from glide_text2im.tokenizer.bpe import Encoder, bytes_to_unicode

models, out = sys.argv[2], sys.argv[3]
CTX, MERGES = 16, 63
th.set_grad_enabled(False)
th.manual_seed(1)

# ---- a small vocabulary ----

SENTENCES = """an oil painting of a corgi in a field of flowers; the red cat isn't here, it's the blue cat over there.
they're painting a tree and they've painted the house on the hill; we'll paint the boat in the water. the apple and the pear,
the green apple on the table, a photo of a dog in the rain, a photo of a tower in the evening, an illustration of a fox"""


def train():
    pieces = collections.Counter()
    table = bytes_to_unicode()
    for p in regex.findall(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""", SENTENCES):
        pieces[tuple(table[b] for b in p.encode())] += 1
    merges = []
    while len(merges) < MERGES:
        pairs = collections.Counter()
        for p, n in pieces.items():
            for a, b in zip(p, p[1:]):
                pairs[a, b] += n
        best = max(sorted(pairs), key=lambda k: pairs[k])
        merges.append(best)
        new = collections.Counter()
        for p, n in pieces.items():
            q, i = [], 0
            while i < len(p):
                if p[i:i + 2] == best:
                    q.append(p[i] + p[i + 1])
                    i += 2
                else:
                    q.append(p[i])
                    i += 1
            new[tuple(q)] += n
        pieces = new
    return merges


merges = train()
names = list(bytes_to_unicode().values()) + [a + b for a, b in merges] + ["<|endoftext|>"]
encoder = {s: i for i, s in enumerate(names)}
with open(os.path.join(out, "vocab.bpe"), "w", encoding="utf-8") as f:
    f.write("#version: 0.2\n" + "".join(a + " " + b + "\n" for a, b in merges))
with open(os.path.join(out, "encoder.json"), "w", encoding="utf-8") as f:
    json.dump(encoder, f)
bpe = Encoder(encoder, merges)
TEXTS = ["", " ", "a corgi", "An Oil Painting of a CORGI", "the  cat   isn't here ", "they're we'll 'tis it'sn't O'Ve", "12 3a4 x2y 1,000.50€",
         "a\tb\n\nc \n d", "na\u00efve caf\u00e9 \u00c9cole \u0130stanbul \u03a3\u03a3\u03a3 stra\u00dfe", "\u65e5\u672c\u8a9e \u306e \u7d75", "\U0001f600\U0001f468\u200d\U0001f469 emoji",
         "\u0663\u0664 \u2167 \u00bd", "tail\u00a0nbsp\u3000wide\u2028ls \u200b zw", "<|endoftext|>", "!?!... --- #hash @at", "a\u0301 combining \u0e01\u0e33 \u0905\u0928\u093f", "\u001c\u001d x \u0085 y", "'S 'T'RE",
         "   lead", "x   ", "\ud55c\uad6d\uc5b4 \uae00", "Z\u0335\u0321a\u0337 \ufb01 \u01c5"]
with open(os.path.join(out, "tok_cases.json"), "w") as f:
    json.dump([{"text": t, "ids": bpe.encode(t)} for t in TEXTS], f, indent=0)


class Vocabulary:
    n_vocab = len(names)


# ---- the networks ----

def model(name):
    cls = {"base": Text2ImUNet, "base_inpaint": InpaintText2ImUNet, "upsample": SuperResText2ImUNet,
           "upsample_inpaint": SuperResInpaintText2ImUnet}[name]
    up = name.startswith("upsample")
    m = cls(CTX, 128, 2, 2, True, Vocabulary, xf_padding=True, in_channels=3, model_channels=64, out_channels=6, num_res_blocks=1,
            attention_resolutions=(4,) if up else (2,), dropout=0.1, channel_mult=(1, 1, 2) if up else (1, 2), use_fp16=False,
            num_heads=1, num_head_channels=64, num_heads_upsample=-1, use_scale_shift_norm=True, resblock_updown=True)
    w = {k: th.from_numpy(v) for k, v in load_file(os.path.join(models, name + ".safetensors")).items()}
    m.load_state_dict(w)
    return m.eval()


def tokens(texts):
    t = [padded(bpe.encode(s)) for s in texts]
    return th.tensor([a for a, b in t]), th.tensor([b for a, b in t])


def padded(ids):
    return bpe.padded_tokens_and_mask(ids, CTX)


def spaced(schedule, spec):
    return SpacedDiffusion(use_timesteps=space_timesteps(1000, spec), betas=get_named_beta_schedule(schedule, 1000))


def guided(m, scale):
    def fn(x, ts, **kw):
        half = x[: len(x) // 2]
        o = m(th.cat([half, half]), ts, **kw)
        eps, rest = o[:, :3], o[:, 3:]
        c, u = th.split(eps, len(eps) // 2)
        e = u + scale * (c - u)
        return th.cat([th.cat([e, e]), rest], 1)
    return fn


class Noise:
    """Lets randn_like give recorded noise, one entry a step."""
    def __init__(self, shape, steps):
        self.v = th.randn(steps, *shape)
        self.i = 0

    def __call__(self, x):
        self.i += 1
        return self.v[self.i - 1]


def loop(d, m, init, noise, kw, ddim=False, denoised=None, eta=0.0):
    keep, th.randn_like = th.randn_like, noise
    f = d.ddim_sample_loop if ddim else d.p_sample_loop
    extra = {"eta": eta} if ddim else {}
    x = f(m, init.shape, noise=init, clip_denoised=True, device="cpu", model_kwargs=kw, denoised_fn=denoised, **extra)
    th.randn_like = keep
    return x


TEXT = ["an oil painting of a corgi", ""]
nets = {}
for name in ("base", "base_inpaint", "upsample", "upsample_inpaint"):
    up, inpaint = name.startswith("upsample"), name.endswith("inpaint")
    side, io = 32 if up else 16, {}
    m = nets[name] = model(name)
    tok, mask = tokens(TEXT)
    kw = {"tokens": tok, "mask": mask}
    io["x"] = th.randn(2, 3, side, side)
    io["timesteps"] = th.tensor([721, 13])
    if up:
        kw["low_res"] = io["low_res"] = (th.rand(2, 3, side // 4, side // 4) * 255).round() / 127.5 - 1
    if inpaint:
        kw["inpaint_image"] = io["inpaint_image"] = th.rand(2, 3, side, side) * 2 - 1
        kw["inpaint_mask"] = io["inpaint_mask"] = (th.rand(2, 1, side, side) > 0.5).float()
    t = m.get_text_emb(tok, mask)
    io.update(tokens=tok, mask=mask, xf_proj=t["xf_proj"], xf_out=t["xf_out"].permute(0, 2, 1), out=m(io["x"], io["timesteps"], **kw))
    init = io["init"] = th.randn(1, 3, side, side)
    one = {k: v[:1] for k, v in kw.items()}
    if name == "base":
        two = th.cat([init, init])
        n = Noise(two.shape, 5)
        io["p5.noise"] = n.v[:, :1]
        io["p5.sample"] = loop(spaced("squaredcos_cap_v2", "5"), guided(m, 3.0), two, n, kw)[:1]
        io["ddim5.sample"] = loop(spaced("squaredcos_cap_v2", "ddim5"), guided(m, 3.0), two, n.__class__(two.shape, 5), kw, ddim=True)[:1]
        n = Noise(two.shape, 5)
        io["eta5.noise"] = n.v[:, :1]
        io["eta5.sample"] = loop(spaced("squaredcos_cap_v2", "5"), guided(m, 3.0), two, n, kw, ddim=True, eta=0.7)[:1]
    elif name == "upsample":
        io["fast27.sample"] = loop(spaced("linear", "fast27"), m, init, Noise(init.shape, 27), one, ddim=True)
    else:
        known = lambda x: x * (1 - one["inpaint_mask"]) + one["inpaint_image"] * one["inpaint_mask"]
        n = Noise(init.shape, 5)
        io["p5.noise"] = n.v
        io["p5.sample"] = loop(spaced("linear" if up else "squaredcos_cap_v2", "5"), m, init, n, one, denoised=known)
    save_file({k: np.ascontiguousarray(v.numpy()) for k, v in io.items()}, os.path.join(out, "io_%s.safetensors" % name))

# ---- whole runs, as the notebook text2im draws them ----

seeded = {}
B, UP = 2, 64
th.manual_seed(7)
tok, mask = tokens([TEXT[0]] * B + [""] * B)
small = spaced("squaredcos_cap_v2", "5").p_sample_loop(guided(nets["base"], 3.0), (2 * B, 3, 16, 16), clip_denoised=True, device="cpu",
                                                      model_kwargs={"tokens": tok, "mask": mask})[:B]
low = ((small + 1) * 127.5).round() / 127.5 - 1
tok, mask = tokens([TEXT[0]] * B)
shape = (B, 3, UP, UP)
big = spaced("linear", "fast27").ddim_sample_loop(nets["upsample"], shape, noise=th.randn(shape) * 0.997, clip_denoised=True, device="cpu",
                                                  model_kwargs={"tokens": tok, "mask": mask, "low_res": low})
as_bytes = lambda x: ((x + 1) * 127.5).round().clamp(0, 255).to(th.uint8).permute(0, 2, 3, 1)
seeded.update(small=small.numpy(), small_u8=as_bytes(small).numpy(), big_u8=as_bytes(big).numpy())
save_file({k: np.ascontiguousarray(v) for k, v in seeded.items()}, os.path.join(out, "seeded.safetensors"))
# ---- more runs from a seed: guided by the noised CLIP, as the notebook clip_guided draws, and inpainted, as inpaint does ----

# The tokens are those of the model in the box.  The text encoder gets more rows, so that it knows them.  A head is 64 wide or,
# where that is too wide, there is one head: no file says the width, and unclip takes it so.
CLIP_IDS, ROWS = [2998, 564, 2369, 1653, 515, 320, 1137, 70, 328, 2999], 8192
here = os.path.dirname(os.path.abspath(__file__))
weights = lambda name: {k: th.from_numpy(v) for k, v in load_file(os.path.join(here, name + ".safetensors")).items()}
size = dict(n_embd=24, n_head=1, n_xf_blocks=2, n_head_state=32, device="cpu")
te = TextEncoder(n_bpe_vocab=ROWS, max_text_len=12, **size)
ie = ImageEncoder(image_size=16, patch_size=4, n_timestep=1000, **size)
w = weights("clip_text_enc")
voc = w["blocks.input.w_voc"]
w["blocks.input.w_voc"] = voc.repeat(ROWS // len(voc) + 1, 1)[:ROWS]
te.load_state_dict(w)
ie.load_state_dict(weights("clip_image_enc"))


class Ids:
    encode = lambda self, text: CLIP_IDS
    padded_tokens_and_len = lambda self, ids, n: (ids + [0] * (n - len(ids)), len(ids))


clip = CLIPModel({}, te.eval(), ie.eval(), th.tensor(math.log(100.0)), th.device("cpu"), Ids())
edit = {}
tok, mask = tokens([TEXT[0]] * B)
th.manual_seed(7)
x = spaced("squaredcos_cap_v2", "5").p_sample_loop(nets["base"], (B, 3, 16, 16), clip_denoised=True, device="cpu",
                                                   model_kwargs={"tokens": tok, "mask": mask}, cond_fn=clip.cond_fn([TEXT[0]] * B, 3.0))
edit["guided_u8"] = as_bytes(x)
y, x = np.mgrid[0:UP, 0:UP]
source = np.stack([4 * x, 4 * y, (x * y) % 256], -1).astype(np.uint8)
picture = lambda side: th.from_numpy(np.array(Image.fromarray(source).resize((side, side), Image.BICUBIC))).permute(2, 0, 1)[None] / 127.5 - 1
known16 = th.ones(1, 1, 16, 16)
known16[:, :, 5:] = 0
known64 = th.nn.functional.interpolate(known16, (UP, UP), mode="nearest")
keep = lambda kw: lambda x: x * (1 - kw["inpaint_mask"]) + kw["inpaint_image"] * kw["inpaint_mask"]
tok, mask = tokens([TEXT[0]] * B + [""] * B)
kw = {"tokens": tok, "mask": mask, "inpaint_image": (picture(16) * known16).repeat(2 * B, 1, 1, 1), "inpaint_mask": known16.repeat(2 * B, 1, 1, 1)}
th.manual_seed(7)
small = spaced("squaredcos_cap_v2", "5").p_sample_loop(guided(nets["base_inpaint"], 3.0), (2 * B, 3, 16, 16), clip_denoised=True, device="cpu",
                                                      model_kwargs=kw, denoised_fn=keep(kw))[:B]
tok, mask = tokens([TEXT[0]] * B)
kw = {"tokens": tok, "mask": mask, "low_res": ((small + 1) * 127.5).round() / 127.5 - 1,
      "inpaint_image": (picture(UP) * known64).repeat(B, 1, 1, 1), "inpaint_mask": known64.repeat(B, 1, 1, 1)}
big = spaced("linear", "fast27").p_sample_loop(nets["upsample_inpaint"], shape, noise=th.randn(shape) * 0.997, clip_denoised=True, device="cpu",
                                               model_kwargs=kw, denoised_fn=keep(kw))
edit.update(source_u8=th.from_numpy(source), inpaint_small_u8=as_bytes(small), inpaint_big_u8=as_bytes(big))
save_file({k: np.ascontiguousarray(v.numpy()) for k, v in edit.items()}, os.path.join(out, "seeded_edit.safetensors"))

for spec in ("100", "fast27", "ddim50", "10,10,5", "7", "1", "ddim25", "250,100,1"):
    t = sorted(space_timesteps(1000, spec))
    print(spec, len(t), t[:4], t[-4:], sum((i + 1) * v for i, v in enumerate(t)))
