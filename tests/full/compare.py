#!/usr/bin/env python3
"""compare.py CLIP_RUN MODEL [OPTION ...]: both towers against PyTorch.

A second, independent implementation of CLIP's forward passes (from the paper and the published
description of the tensors; OpenAI's names), run in float64 and float32 over the same raw inputs
as tests/clip_run.  Prints, for each tower, the largest error of clip_run and of PyTorch's own
float32 against float64, relative to the largest element; exit 1 when clip_run's is above 1e-5.
MODEL: a directory in open_clip's layout (tests/make_model -l openclip).
Needs torch and safetensors; not part of make check."""
import json
import math
import os
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


def norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], 1e-5)


def layers(w, prefix, x, heads, causal):
    act = (lambda h: h * torch.sigmoid(1.702 * h)) if w["quick"] else F.gelu
    mask = torch.full((x.shape[1],) * 2, -math.inf, dtype=x.dtype).triu(1) if causal else 0
    i = 0
    while f"{prefix}{i}.ln_1.weight" in w:
        p = f"{prefix}{i}."
        h = F.linear(norm(w, p + "ln_1", x), w[p + "attn.in_proj_weight"], w[p + "attn.in_proj_bias"])
        q, k, v = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in h.chunk(3, 2))
        a = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3]) + mask).softmax(3) @ v
        x = x + F.linear(a.transpose(1, 2).flatten(2), w[p + "attn.out_proj.weight"], w[p + "attn.out_proj.bias"])
        h = F.linear(norm(w, p + "ln_2", x), w[p + "mlp.c_fc.weight"], w[p + "mlp.c_fc.bias"])
        x = x + F.linear(act(h), w[p + "mlp.c_proj.weight"], w[p + "mlp.c_proj.bias"])
        i += 1
    return x


def text(w, ids):
    x = w["token_embedding.weight"][ids] + w["positional_embedding"]
    x = layers(w, "transformer.resblocks.", x, x.shape[2] // 64, True)
    x = norm(w, "ln_final", x)
    return x[torch.arange(len(ids)), ids.argmax(1)] @ w["text_projection"]


def vit(w, images):
    k = w["visual.conv1.weight"]
    x = F.conv2d(images, k, stride=k.shape[3]).flatten(2).transpose(1, 2)
    x = torch.cat([w["visual.class_embedding"].expand(len(x), 1, -1), x], 1) + w["visual.positional_embedding"]
    width = x.shape[2]
    heads = 16 if width in (1280, 1408, 1664) else width // 64
    x = layers(w, "visual.transformer.resblocks.", norm(w, "visual.ln_pre", x), heads, False)
    return norm(w, "visual.ln_post", x[:, 0]) @ w["visual.proj"]


def conv(w, at, name, bn, x, stride=1):
    k = w[f"visual.{at}{name}.weight"]
    x = F.conv2d(x, k, stride=stride, padding=k.shape[3] // 2)
    p = f"visual.{at}{bn}."
    return F.batch_norm(x, w[p + "running_mean"], w[p + "running_var"], w[p + "weight"], w[p + "bias"], eps=1e-5)


def resnet(w, x):
    for i in (1, 2, 3):
        x = conv(w, "", f"conv{i}", f"bn{i}", x, 2 if i == 1 else 1).relu()
    x = F.avg_pool2d(x, 2)
    for stage in (1, 2, 3, 4):
        i = 0
        while f"visual.layer{stage}.{i}.conv1.weight" in w:
            at, stride = f"layer{stage}.{i}.", 2 if stage > 1 and i == 0 else 1
            y = conv(w, at, "conv1", "bn1", x).relu()
            y = conv(w, at, "conv2", "bn2", y).relu()
            y = conv(w, at, "conv3", "bn3", F.avg_pool2d(y, stride) if stride > 1 else y)
            if i == 0:
                x = conv(w, at, "downsample.0", "downsample.1", F.avg_pool2d(x, stride) if stride > 1 else x)
            x = (x + y).relu()
            i += 1
    a = "visual.attnpool."
    z = x.flatten(2).transpose(1, 2)
    z = torch.cat([z.mean(1, keepdim=True), z], 1) + w[a + "positional_embedding"]
    q, k, v = (F.linear(t, w[a + n + "_proj.weight"], w[a + n + "_proj.bias"]).unflatten(2, (-1, 64)).transpose(1, 2)
               for t, n in ((z[:, :1], "q"), (z, "k"), (z, "v")))
    x = ((q / 8) @ k.transpose(2, 3)).softmax(3) @ v
    return F.linear(x.transpose(1, 2).flatten(1), w[a + "c_proj.weight"], w[a + "c_proj.bias"])


def side(w):
    p = w.get("visual.positional_embedding", w.get("visual.attnpool.positional_embedding"))
    step = w["visual.conv1.weight"].shape[3] if "visual.proj" in w else 32
    return math.isqrt(len(p) - 1) * step


def inputs(w, n=3):
    g = torch.Generator().manual_seed(1)
    s, (context, vocab) = side(w), (w["positional_embedding"].shape[0], w["token_embedding.weight"].shape[0])
    images = F.interpolate(torch.randn(n, 3, 9, 9, generator=g), (s, s), mode="bicubic") + 0.3 * torch.randn(n, 3, s, s, generator=g)
    ids = torch.zeros(n, context, dtype=torch.int32)
    for i, length in enumerate((2, 9, context)):
        ids[i, :length] = torch.randint(0, vocab - 2, (length,), generator=g)
        ids[i, 0], ids[i, length - 1] = vocab - 2, vocab - 1
    return images, ids


def relative(got, want):
    return (got.double().flatten() - want).abs().max().item() / want.abs().max().item()


def main():
    program, path, options = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(os.path.join(path, "open_clip_config.json"), encoding="utf-8") as f:
        quick = json.load(f)["model_cfg"].get("quick_gelu", False)
    w = load_file(os.path.join(path, "open_clip_model.safetensors"))
    images, ids = inputs(w)
    image = vit if "visual.proj" in w else resnet
    bad = 0
    with tempfile.TemporaryDirectory() as tmp, torch.no_grad():
        for tower, net, given in (("image", image, images), ("text", text, ids)):
            i, o = os.path.join(tmp, "in"), os.path.join(tmp, "out")
            given.numpy().tofile(i)
            subprocess.run([program, *options, tower, path, i, o], check=True, stdout=subprocess.DEVNULL)
            got = torch.frombuffer(bytearray(open(o, "rb").read()), dtype=torch.float32)
            out = []
            for dtype in (torch.float64, torch.float32):
                part = {k: v.to(dtype) for k, v in w.items() if k.startswith("visual.") == (tower == "image")}
                part["quick"] = quick
                out.append(net(part, given.to(dtype) if tower == "image" else given.long()).double().flatten())
                del part
            mine, theirs = relative(got, out[0]), relative(out[1], out[0])
            print(f"{os.path.basename(path)}\t{tower}\tclip_run {mine:.2e}\ttorch f32 {theirs:.2e}")
            bad |= not mine <= 1e-5
    sys.exit(bad)


if __name__ == "__main__":
    main()
