#!/usr/bin/env python3
"""grad.py: the gradient of CLIP's image embedding with respect to the pixels, next to PyTorch, in turns

usage: bench/grad.py [--aid DIR] [--rounds N] [--threads N] [--batch N] [--model NAME]... [--mode 0|1|2]

Needs PyTorch and, for Vision Transformers, transformers; make aids.  Both programs compute, in f32, e = tower(x) and the
gradient of |e|^2 / 2 with respect to x.  The weights are random and of full size (tests/make_model).  PyTorch's weights take
no gradient.  Prints milliseconds a picture (medians), the median of the ratios, the memory that clip_run has without
its mapped file, and how far the two gradients agree.
"""
import argparse, os, statistics, subprocess, sys, tempfile, time
os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1")
import numpy as np, torch
import torch.nn as nn, torch.nn.functional as F

p = argparse.ArgumentParser()
p.add_argument("--aid", default="build/tests")
p.add_argument("--rounds", type=int, default=7)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--batch", type=int, default=4)
p.add_argument("--model", action="append")
p.add_argument("--mode", default="0")
p.add_argument("--channels-last", action="store_true", help="PyTorch's ResNet with channels last")
o = p.parse_args()
aid = os.path.abspath(o.aid)
torch.set_num_threads(o.threads)


class Block(nn.Module):
    """A bottleneck of OpenAI's ModifiedResNet; children have the names of its state dict."""
    def __init__(s, cin, p, stride):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(cin, p, 1, bias=False), nn.BatchNorm2d(p)
        s.conv2, s.bn2 = nn.Conv2d(p, p, 3, padding=1, bias=False), nn.BatchNorm2d(p)
        s.conv3, s.bn3 = nn.Conv2d(p, 4 * p, 1, bias=False), nn.BatchNorm2d(4 * p)
        s.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        s.downsample = None
        if stride > 1 or cin != 4 * p:
            s.downsample = nn.Sequential()
            s.downsample.add_module("-1", nn.AvgPool2d(stride))
            s.downsample.add_module("0", nn.Conv2d(cin, 4 * p, 1, bias=False))
            s.downsample.add_module("1", nn.BatchNorm2d(4 * p))

    def forward(s, x):
        y = F.relu(s.bn1(s.conv1(x)))
        y = s.pool(F.relu(s.bn2(s.conv2(y))))
        return F.relu(s.bn3(s.conv3(y)) + (s.downsample(x) if s.downsample is not None else x))


class Pool(nn.Module):
    def __init__(s, side, d, heads, e):
        super().__init__()
        s.positional_embedding = nn.Parameter(torch.zeros(side * side + 1, d))
        s.q_proj, s.k_proj, s.v_proj, s.c_proj = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, e)
        s.heads = heads

    def forward(s, x):
        x = x.flatten(2).permute(2, 0, 1)
        x = torch.cat([x.mean(0, keepdim=True), x]) + s.positional_embedding[:, None]
        x, _ = F.multi_head_attention_forward(
            query=x[:1], key=x, value=x, embed_dim_to_check=x.shape[-1], num_heads=s.heads, q_proj_weight=s.q_proj.weight,
            k_proj_weight=s.k_proj.weight, v_proj_weight=s.v_proj.weight, in_proj_weight=None,
            in_proj_bias=torch.cat([s.q_proj.bias, s.k_proj.bias, s.v_proj.bias]), bias_k=None, bias_v=None, add_zero_attn=False,
            dropout_p=0, out_proj_weight=s.c_proj.weight, out_proj_bias=s.c_proj.bias, use_separate_proj_weight=True,
            training=False, need_weights=False)
        return x[0]


class ResNet(nn.Module):
    def __init__(s, blocks, w, side, e):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(3, w // 2, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(w // 2)
        s.conv2, s.bn2 = nn.Conv2d(w // 2, w // 2, 3, padding=1, bias=False), nn.BatchNorm2d(w // 2)
        s.conv3, s.bn3 = nn.Conv2d(w // 2, w, 3, padding=1, bias=False), nn.BatchNorm2d(w)
        cin = w
        for i, n in enumerate(blocks):
            layer = nn.Sequential()
            for j in range(n):
                layer.add_module(str(j), Block(cin, w << i, 2 if i and not j else 1))
                cin = 4 * (w << i)
            s.add_module(f"layer{i + 1}", layer)
        s.attnpool = Pool(side // 32, cin, w * 32 // 64, e)

    def forward(s, x):
        for c, b in ((s.conv1, s.bn1), (s.conv2, s.bn2), (s.conv3, s.bn3)):
            x = F.relu(b(c(x)))
        x = F.avg_pool2d(x, 2)
        return s.attnpool(s.layer4(s.layer3(s.layer2(s.layer1(x)))))


def tower(name, d):
    """A function from pictures to embeddings, and the pictures' side."""
    if name.startswith("RN"):
        w = {k[7:]: v.float() for k, v in torch.load(f"{d}/{name}.pt", weights_only=True).items() if k.startswith("visual.")}
        count = lambda i: len({k.split(".")[1] for k in w if k.startswith(f"layer{i}.")})
        side = 32 * int((w["attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
        m = ResNet([count(i) for i in (1, 2, 3, 4)], w["conv3.weight"].shape[0], side, w["attnpool.c_proj.weight"].shape[0])
        missing = m.load_state_dict(w, strict=False)
        assert not missing.unexpected_keys and all("num_batches" in k for k in missing.missing_keys), missing
        if o.channels_last:
            m = m.to(memory_format=torch.channels_last)
        return m.eval().requires_grad_(False), side
    from transformers import CLIPVisionModelWithProjection
    m = CLIPVisionModelWithProjection.from_pretrained(d).eval().requires_grad_(False)
    return (lambda x: m(pixel_values=x).image_embeds), m.config.image_size


def ask(child):
    child.stdin.write("\n")
    child.stdin.flush()
    return float(child.stdout.readline())


def cosine(a, b):
    a, b = a.ravel().astype(float), b.ravel().astype(float)
    return a @ b / np.sqrt((a @ a) * (b @ b))


for name in o.model or ["ViT-B-32", "RN50"]:
    with tempfile.TemporaryDirectory() as d:
        subprocess.run([f"{aid}/make_model", "-d", "f32", "-l", "torch" if name.startswith("RN") else "hf", name, d], check=True)
        f, side = tower(name, d)
        x = np.random.default_rng(1).normal(size=(o.batch, 3, side, side)).astype(np.float32)
        x.tofile(f"{d}/x")
        path = f"{d}/{name}.pt" if name.startswith("RN") else d
        command = [f"{aid}/clip_run", "-a", "quick_gelu", "-j", str(o.threads), "-b", str(o.batch), "-m", o.mode]
        about = subprocess.run(command + ["grad", path, f"{d}/x", f"{d}/y"], check=True, capture_output=True, text=True).stdout.split()
        got = np.fromfile(f"{d}/y", np.float32).reshape(x.shape)
        child = subprocess.Popen(command + ["-i", "grad", path, f"{d}/x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "ready\n"

        def peer():
            t = torch.from_numpy(x).requires_grad_(True)
            if o.channels_last and name.startswith("RN"):
                t = torch.from_numpy(x).to(memory_format=torch.channels_last).requires_grad_(True)
            begin = time.monotonic()
            e = f(t)
            e.backward(e.detach())
            return 1000 * (time.monotonic() - begin), t.grad.numpy()

        ours, theirs = [], []
        want = peer()[1]
        for _ in range(o.rounds):
            ours.append(ask(child))
            theirs.append(peer()[0])
        child.stdin.close()
        child.wait()
        a, b = statistics.median(ours) / o.batch, statistics.median(theirs) / o.batch
        ratio = statistics.median(t / u for t, u in zip(theirs, ours))
        print(f"{name}: batch {o.batch}, {o.threads} threads, unclip {a:.1f} ms, PyTorch {torch.__version__} {b:.1f} ms a picture; "
              f"ratio {ratio:.2f}; memory {about[-1]} MiB; cosine of the gradients 1 - {1 - cosine(got, want):.1e}", flush=True)
