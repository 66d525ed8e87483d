#!/usr/bin/env python3
"""vq_grad.py [--bench DIR] [--rounds N] [--threads N] [--channels-last] FOLDER: the gradient of a VQGAN's decoder, next to PyTorch

FOLDER: a VQModel with taming's names in model.safetensors, in f32 (tests/make_vq f16-1024 FOLDER makes it at full size).  Both
programs decode the same codes to 256 x 256 pixels and take the same gradient at the pixels back to the latents, in turns.
PyTorch's weights take no gradient.  Prints the processor seconds of each pass (medians), the median of the ratios of both passes
together, and how far the two gradients agree.  Needs PyTorch and build/bench/vq_grad.
"""
import argparse
import json
import statistics
import struct
import subprocess
import time

import numpy as np
import torch
import torch.nn.functional as F

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--bench", default="build/bench")
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--threads", type=int, default=1)
p.add_argument("--channels-last", action="store_true")
p.add_argument("folder")
A = p.parse_args()
torch.set_num_threads(A.threads)
form = torch.channels_last if A.channels_last else torch.contiguous_format

b = open(A.folder + "/model.safetensors", "rb").read()
n = struct.unpack("<Q", b[:8])[0]
w = {}
for k, v in json.loads(b[8:8 + n]).items():
    if k != "__metadata__":
        lo, hi = v["data_offsets"]
        t = torch.frombuffer(bytearray(b[8 + n + lo:8 + n + hi]), dtype=torch.float32).reshape(v["shape"])
        w[k] = t.contiguous(memory_format=form) if t.dim() == 4 else t
del b


def conv(x, k):
    return F.conv2d(x, w[k + ".weight"], w[k + ".bias"], 1, w[k + ".weight"].shape[2] // 2)


def norm(x, k):
    return F.group_norm(x, 32, w[k + ".weight"], w[k + ".bias"], 1e-6)


def block(x, k):
    h = conv(F.silu(norm(x, k + ".norm1")), k + ".conv1")
    h = conv(F.silu(norm(h, k + ".norm2")), k + ".conv2")
    return h + (conv(x, k + ".nin_shortcut") if k + ".nin_shortcut.weight" in w else x)


def attention(x, k):
    if k + ".q.weight" not in w:
        return x
    h = norm(x, k + ".norm")
    q, key, v = (conv(h, k + s).flatten(2) for s in (".q", ".k", ".v"))
    a = torch.softmax(q.transpose(1, 2) @ key * q.shape[1] ** -0.5, 2)
    return x + conv((v @ a.transpose(1, 2)).reshape(x.shape), k + ".proj_out")


def decode(z):
    h = conv(conv(z, "post_quant_conv"), "decoder.conv_in")
    h = block(attention(block(h, "decoder.mid.block_1"), "decoder.mid.attn_1"), "decoder.mid.block_2")
    levels = len({k.split(".")[2] for k in w if k.startswith("decoder.up.")})
    for l in reversed(range(levels)):
        for j in range(len({k.split(".")[4] for k in w if k.startswith(f"decoder.up.{l}.block.")})):
            h = attention(block(h, f"decoder.up.{l}.block.{j}"), f"decoder.up.{l}.attn.{j}")
        if l:
            h = conv(F.interpolate(h, scale_factor=2.0, mode="nearest"), f"decoder.up.{l}.upsample.conv")
    return conv(F.silu(norm(h, "decoder.norm_out")), "decoder.conv_out") / 2 + 0.5


table = w["quantize.embedding.weight"]
side = 256 >> (len({k.split(".")[2] for k in w if k.startswith("decoder.up.")}) - 1)
codes = torch.arange(side * side) * 37 % len(table)
z = table[codes].reshape(1, side, side, -1).permute(0, 3, 1, 2).contiguous(memory_format=form).requires_grad_(True)
d = ((torch.arange(3 * 256 * 256) % 251).float() / 251 - 0.5).reshape(1, 3, 256, 256)


def theirs():
    z.grad = None
    a = time.process_time()
    y = decode(z)
    m = time.process_time()
    y.backward(d)
    return m - a, time.process_time() - m


ours = subprocess.Popen([f"{A.bench}/vq_grad", "-j", str(A.threads), f"{A.folder}/model.safetensors"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
rows = []
for i in range(A.rounds + 1):
    ours.stdin.write(b"\n")
    ours.stdin.flush()
    mine = [float(x) for x in ours.stdout.readline().split()]
    peer = theirs()
    if i:    # the first round warms up
        rows.append((*mine, *peer, sum(peer) / sum(mine)))
        print("  ".join("%.3f" % x for x in rows[-1]), flush=True)
ours.stdin.close()
g = np.frombuffer(ours.stdout.read(), np.float32).astype(float)
t = z.grad[0].permute(1, 2, 0).reshape(-1).numpy().astype(float)
print("medians: ours %.2f s forward, %.2f s back; PyTorch %.2f s, %.2f s; ratio %.2f" % tuple(statistics.median(c) for c in zip(*rows)))
print("gradients: cosine 1 - %.1e" % (1 - g @ t / np.sqrt((g @ g) * (t @ t))))
