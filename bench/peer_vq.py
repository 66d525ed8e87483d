#!/usr/bin/env python3
"""peer_vq.py [--bin DIR] [--rounds N] [--threads N] FOLDER PICTURE: vq and PyTorch over a VQGAN, in turns, on one picture.

FOLDER: a VQModel or GumbelVQ with taming's names in model.safetensors, in f32 (tests/make_vq makes them at full size).  The peer is
the same network in torch.nn.functional, in channels_last, as taming-transformers composes it.  PICTURE is a square PPM (P6)
of the model's side, so that both see the same numbers.  Prints how many tokens are equal, the largest difference of the
pictures, and for each half the median of wall and CPU seconds a picture (vq: a run less one that finds nothing to do; its packed weights are
kept), and the peak memory of each process.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--bin", default=str(pathlib.Path(__file__).resolve().parent.parent / "build/bin"))
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
p.add_argument("folder")
p.add_argument("picture")
A = p.parse_args()


# ---- ours ----

def vq(args, stdin=b""):
    """Output and wall seconds."""
    env = dict(os.environ, UNCLIP_MODEL=A.folder)
    t = time.perf_counter()
    c = subprocess.Popen([f"{A.bin}/vq", "-j", str(A.threads), *args], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = c.communicate(stdin)
    wall = time.perf_counter() - t
    if c.returncode:
        sys.exit(f"vq: status {c.returncode}")
    return out, wall


def cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def a_picture(half, precision, tokens):
    """Wall and CPU seconds of one picture."""
    args = ["--precision", precision] + (["-d"] if half == "decode" else [])
    c = [cpu()]
    walls = []
    for something in (False, True):
        walls.append(vq(args + ([A.picture] if half == "encode" and something else []), tokens if half == "decode" and something else b"")[1])
        c.append(cpu())
    return walls[1] - walls[0], c[2] - 2 * c[1] + c[0]


def as_json(stream):
    return [json.loads(x) for x in subprocess.run([f"{A.bin}/record-json", "--arrays"], input=stream, stdout=subprocess.PIPE, check=True).stdout.splitlines()]


# ---- PyTorch ----

PEER = r'''
import json, resource, struct, sys, time
import torch
import torch.nn.functional as F
folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
b = open(folder + "/model.safetensors", "rb").read()
n = struct.unpack("<Q", b[:8])[0]
head = json.loads(b[8:8 + n])
body = memoryview(b)[8 + n:]
w = {}
for k, v in head.items():
    if k != "__metadata__":
        lo, hi = v["data_offsets"]
        t = torch.frombuffer(bytearray(body[lo:hi]), dtype=torch.float32).reshape(v["shape"])
        w[k] = t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t
del b, body

def conv(x, k, stride=1): return F.conv2d(x, w[k + ".weight"], w[k + ".bias"], stride, w[k + ".weight"].shape[2] // 2 if stride == 1 else 0)
def norm(x, k): return F.group_norm(x, 32, w[k + ".weight"], w[k + ".bias"], 1e-6)
def block(x, k):
    h = conv(F.silu(norm(x, k + ".norm1")), k + ".conv1")
    h = conv(F.silu(norm(h, k + ".norm2")), k + ".conv2")
    return h + (conv(x, k + ".nin_shortcut") if k + ".nin_shortcut.weight" in w else x)
def attention(x, k):
    if k + ".q.weight" not in w: return x
    h = norm(x, k + ".norm")
    q, key, v = (conv(h, k + s).flatten(2) for s in (".q", ".k", ".v"))
    a = torch.softmax(q.transpose(1, 2) @ key * q.shape[1] ** -0.5, 2)
    return x + conv((v @ a.transpose(1, 2)).reshape(x.shape), k + ".proj_out")
def middle(x, half): return block(attention(block(x, half + "mid.block_1"), half + "mid.attn_1"), half + "mid.block_2")
levels = len({k.split(".")[2] for k in w if k.startswith("encoder.down.")})
def blocks(half, l): return len({k.split(".")[4] for k in w if k.startswith(f"{half}.{l}.block.")})

def encode(x):
    h = conv(x, "encoder.conv_in")
    for l in range(levels):
        for j in range(blocks("encoder.down", l)):
            h = attention(block(h, f"encoder.down.{l}.block.{j}"), f"encoder.down.{l}.attn.{j}")
        if l + 1 < levels: h = conv(F.pad(h, (0, 1, 0, 1)), f"encoder.down.{l}.downsample.conv", 2)
    h = conv(F.silu(norm(middle(h, "encoder."), "encoder.norm_out")), "encoder.conv_out")
    h = conv(h, "quant_conv")
    if "quantize.proj.weight" in w: return conv(h, "quantize.proj").argmax(1)
    z, e = h.permute(0, 2, 3, 1).reshape(-1, h.shape[1]), w["quantize.embedding.weight"]
    return ((e ** 2).sum(1) - 2 * z @ e.t()).argmin(1).reshape(1, *h.shape[2:])

def decode(t):
    e = w["quantize.embed.weight"] if "quantize.embed.weight" in w else w["quantize.embedding.weight"]
    h = e[t].permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    h = middle(conv(conv(h, "post_quant_conv"), "decoder.conv_in"), "decoder.")
    for l in reversed(range(levels)):
        for j in range(blocks("decoder.up", l)):
            h = attention(block(h, f"decoder.up.{l}.block.{j}"), f"decoder.up.{l}.attn.{j}")
        if l: h = conv(F.interpolate(h, scale_factor=2.0, mode="nearest"), f"decoder.up.{l}.upsample.conv")
    return conv(F.silu(norm(h, "decoder.norm_out")), "decoder.conv_out").clamp(-1, 1)

for line in sys.stdin:
    q = json.loads(line)
    with torch.inference_mode():
        x = (torch.tensor(q["x"]).unsqueeze(0).contiguous(memory_format=torch.channels_last) if q["do"] == "encode" else torch.tensor(q["x"]))
        c, t = time.process_time(), time.perf_counter()
        y = (encode if q["do"] == "encode" else decode)(x)
        t, c = time.perf_counter() - t, time.process_time() - c
    print(json.dumps({"wall": t, "cpu": c, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "y": y[0].tolist()}), flush=True)
'''


class Peer:
    def __init__(self):
        self.p = subprocess.Popen([sys.executable, "-c", PEER, A.folder, str(A.threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, do, x):
        self.p.stdin.write(json.dumps({"do": do, "x": x}) + "\n")
        self.p.stdin.flush()
        return json.loads(self.p.stdout.readline())


def peak(args, stdin):
    """MiB of one vq."""
    out = subprocess.run(["/usr/bin/time", "-f", "%M", f"{A.bin}/vq", "-j", str(A.threads), *args], input=stdin, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, check=True, env=dict(os.environ, UNCLIP_MODEL=A.folder)).stderr
    return int(out.split()[-1]) / 1024


tokens, _ = vq(["--precision=f32", A.picture])
ours = as_json(tokens)[0]["data"]
picture, _ = vq(["-d", "--precision=f32"], tokens)
mine = as_json(picture)[0]["data"]["image"]

def ppm(path):
    """Width, height and bytes of a P6."""
    b = open(path, "rb").read()
    kind, w, h, most = b.split(None, 4)[:4]
    w, h = int(w), int(h)
    return w, h, b[len(b) - 3 * w * h:] if kind == b"P6" and most == b"255" else b""


w, h, body = ppm(A.picture)
if w != h or len(body) < 3 * w * h:
    sys.exit("PICTURE: a square PPM (P6) of the model's side is wanted")
x = [[[body[3 * (i * w + j) + c] / 127.5 - 1 for j in range(w)] for i in range(h)] for c in range(3)]
peer = Peer()
theirs = peer("encode", x)["y"]
flat = [t for row in theirs for t in row]
print(f"tokens: {sum(a == b for a, b in zip(flat, ours['image_tokens']))} of {len(flat)} are equal")
rows, cols = ours["grid"]
grid = [ours["image_tokens"][i * cols:(i + 1) * cols] for i in range(rows)]
other = peer("decode", [grid])["y"]
print("pictures: largest difference %.2g of [-1, 1]" % max(abs(a - b) for p, q in zip(mine, other) for r, s in zip(p, q) for a, b in zip(r, s)))
times = {}
for _ in range(A.rounds):
    for half, precision in (("encode", "f32"), ("decode", "f32"), ("decode", "bf16")):
        times.setdefault((half, "vq " + precision), []).append(a_picture(half, precision, tokens))
        if precision == "f32":
            r = peer(half, x if half == "encode" else [grid])
            times.setdefault((half, "torch f32"), []).append((r["wall"], r["cpu"]))
            mib = r["mib"]
for (half, who), v in times.items():
    print(f"{half} {who}: {statistics.median(a for a, _ in v):.2f} s, {statistics.median(b for _, b in v):.2f} CPU s")
print(f"memory: vq {peak(['--precision=f32', A.picture], b''):.0f} MiB, vq -d {peak(['-d', '--precision=f32'], tokens):.0f} MiB (f32), "
      f"{peak(['-d', '--precision=bf16'], tokens):.0f} MiB (bf16), torch {mib:.0f} MiB")
