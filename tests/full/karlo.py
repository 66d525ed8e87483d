#!/usr/bin/env python3
"""karlo.py FOLDER [BIN]: Karlo at full size, stage by stage, beside diffusers, in one run.

FOLDER is what `build/tests/make_karlo FOLDER` wrote (random weights).  For each stage: seconds per step (median of the
time between progress lines, without loading) and the peak of anonymous memory of our programs, in bf16 and f32; then of
one forward of diffusers' network on the same weights, in f32 and bf16, each in a process of its own, with as many
threads.  The prior's step of ours has its prefix cached; diffusers' computes all 81 rows.

Needs torch, diffusers 0.33 or older, numpy and msgpack; no part of make check.
"""
import json
import multiprocessing as mp
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import msgpack
import numpy as np

FOLDER = pathlib.Path(sys.argv[1])
BIN = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parents[2] / "build/bin")
os.environ.setdefault("UNCLIP_CACHE", "none")    # what is packed counts as our memory
THREADS = len(os.sched_getaffinity(0))


def anon(pid):
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0


def tensor(a):
    a = np.ascontiguousarray(a, "<f4")
    return {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": list(a.shape), b"data": a.tobytes()}


def record(name, n):
    r = np.random.default_rng(n)
    return msgpack.packb({"unclip": 1, "id": name, "data": {"text_embed": tensor(r.standard_normal(768)),
                                                           "text_states": tensor(r.standard_normal((n, 768)))}})


def ours(tool, args, stdin, stdout):
    p = subprocess.Popen([BIN / tool, "-m", FOLDER, "--progress=json", *args], stdin=open(stdin, "rb"), stdout=open(stdout, "wb"),
                         stderr=subprocess.PIPE, text=True)
    peak, times = 0, []

    def poll():
        nonlocal peak
        while p.poll() is None:
            peak = max(peak, anon(p.pid))
            time.sleep(0.02)
    t = threading.Thread(target=poll)
    t.start()
    for line in p.stderr:
        if line.startswith("{") and '"step"' in line:
            times.append((json.loads(line)["step"], time.time()))
    t.join()
    assert p.returncode == 0, tool
    # steps of less than 0.1 s do not all get a line
    return statistics.median((b - a) / (j - i) for (i, a), (j, b) in zip(times, times[1:])), peak


def theirs(what, dtype, out):
    import torch
    from diffusers import PriorTransformer, UNet2DConditionModel, UNet2DModel
    torch.set_num_threads(THREADS)
    d = getattr(torch, dtype)
    if what == "prior":
        m = PriorTransformer.from_pretrained(FOLDER / "prior", torch_dtype=d)
        a = dict(hidden_states=torch.randn(2, 768), timestep=500, proj_embedding=torch.randn(2, 768),
                 encoder_hidden_states=torch.randn(2, 77, 768), attention_mask=torch.ones(2, 77, dtype=torch.bool))
    elif what == "decode64":
        m = UNet2DConditionModel.from_pretrained(FOLDER / "decoder", torch_dtype=d)
        a = dict(sample=torch.randn(2, 3, 64, 64), timestep=500, encoder_hidden_states=torch.randn(2, 81, 1536),
                 class_labels=torch.randn(2, 1280))
    else:
        m = UNet2DModel.from_pretrained(FOLDER / "super_res_first", torch_dtype=d)
        a = dict(sample=torch.randn(1, 6, 256, 256), timestep=500)
    a = {k: v.to(d) if torch.is_tensor(v) and v.is_floating_point() else v for k, v in a.items()}
    m.eval()
    times = []
    with torch.no_grad():
        for _ in range(2 if what == "upsample" else 3):
            t = time.time()
            m(**a)
            times.append(time.time() - t)
    out.put((min(times), anon(os.getpid())))


def main():
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        (d / "text").write_bytes(record("text", 12))
        (d / "empty").write_bytes(record("empty", 2))
        print("stage precision  ours s/step  peak MiB   diffusers s/forward (best)  peak MiB")
        for stage, args, src, dst in (("prior", ["--steps", "25", f"--uncond={d / 'empty'}"], "text", "p"),
                                      ("decode64", ["--steps", "5", f"--uncond={d / 'empty'}"], "p", "d"),
                                      ("upsample", ["--steps", "3"], "d", "u")):
            for precision in ("bf16", "f32"):
                s, peak = ours(stage, [*args, "--precision", precision], d / src, d / dst)
                q = mp.get_context("spawn").SimpleQueue()
                p = mp.get_context("spawn").Process(target=theirs, args=(stage, "bfloat16" if precision == "bf16" else "float32", q))
                p.start()
                t, theirpeak = q.get()
                p.join()
                print(json.dumps([stage, precision, round(s, 3), round(peak), round(t, 2), round(theirpeak)]), flush=True)


if __name__ == "__main__":
    main()
