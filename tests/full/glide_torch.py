#!/usr/bin/env python3
"""glide_torch.py GLIDE_TEXT2IM DIR THREADS - the steps of glide.sh with openai/glide-text2im under PyTorch

Each network and mode (f32, f32 compiled by torch.compile, bf16 by autocast) in a process of its own, so that the memory is its own.
Prints rows for glide.sh's table. Compilation is not counted: the second step compiles once more, because the text's states are then
kept. Where a step takes more than half a minute (bf16 on a processor without it), the first one counts. A mode that fails is named
and left out.
"""
import os
import resource
import subprocess
import sys
import time

if len(sys.argv) == 4:
    for stage in "base", "upsample":
        for mode in "f32", "compiled", "bf16":
            if subprocess.run([sys.executable, __file__] + sys.argv[1:] + [stage, mode]).returncode:
                print("%s, %s: failed" % (stage, mode), file=sys.stderr)
    sys.exit(0)

sys.path.insert(0, sys.argv[1])
import torch as th
from safetensors.torch import load_file

from glide_text2im.model_creation import create_model, model_and_diffusion_defaults, model_and_diffusion_defaults_upsampler

where, threads, stage, mode = sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
th.set_num_threads(threads)
th.set_grad_enabled(False)
o = model_and_diffusion_defaults() if stage == "base" else model_and_diffusion_defaults_upsampler()
o.update(use_fp16=False, cache_text_emb=True)
for k in "diffusion_steps", "noise_schedule", "timestep_respacing":
    o.pop(k)
model = create_model(**o).eval()
model.load_state_dict({k: v.float() for k, v in load_file(os.path.join(where, stage + ".safetensors")).items()})
rows, side = (2, 64) if stage == "base" else (1, 256)
kw = {"tokens": th.zeros(rows, 128, dtype=th.long), "mask": th.arange(128)[None].repeat(rows, 1) < 11}
if stage != "base":
    kw["low_res"] = th.zeros(rows, 3, 64, 64)
x, t = th.randn(rows, 3, side, side), th.full((rows,), 500)
run = th.compile(model) if mode == "compiled" else model
with th.autocast("cpu", dtype=th.bfloat16, enabled=mode == "bf16"):
    clock, cpu, n = time.monotonic(), time.process_time(), 1
    run(x, t, **kw)
    if mode == "compiled" or time.monotonic() - clock < 30:
        run(x, t, **kw)
        clock, cpu, n = time.monotonic(), time.process_time(), 2
        for _ in range(n):
            run(x, t, **kw)
print("| %s | PyTorch %s, %s | %.2f | %.2f | %d |" % (stage, th.__version__.split("+")[0], mode, (time.monotonic() - clock) / n,
      (time.process_time() - cpu) / n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024), flush=True)
