#!/usr/bin/env python3
"""peer_picture.py df-f32|df-bf16|dfc-bf16|dfc-f32 FOLDER STEPS OUT.png: an image by diffusers' UnCLIPPipeline, as its users make one.

FOLDER: the directory of a Karlo in diffusers' layout, with text_encoder/ (tokenizer/ is not needed: the text is given as ids).
STEPS: of prior, decoder and upsampler, as in 25,25,7; at least 2 of each.  dfc compiles the networks (torch.compile) and runs once
before.  Prints JSON: "run", the seconds of the call; "step", those of each step except the first of each stage; "warm", those of
the compilation.
"""
import json
import os
import sys
import time
import types
import warnings

warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import PriorTransformer, UnCLIPPipeline, UnCLIPScheduler, UNet2DConditionModel, UNet2DModel
from diffusers.pipelines.unclip import UnCLIPTextProjModel
from transformers import CLIPTextModelWithProjection

kind, folder, steps, out = sys.argv[1], sys.argv[2], [int(x) for x in sys.argv[3].split(",")], sys.argv[4]
dtype = torch.bfloat16 if kind.endswith("bf16") else torch.float32
torch.set_num_threads(len(os.sched_getaffinity(0)))


class Ids:
    """In place of a tokenizer: ids of five tokens, or two for no text."""
    model_max_length = 77

    def __call__(self, text, padding="longest", **_):
        text = [text] if isinstance(text, str) else text
        ids = [[49406, *([320, 736, 3055] if t else []), 49407] for t in text]
        n = 77 if padding == "max_length" else max(map(len, ids))
        return types.SimpleNamespace(input_ids=torch.tensor([i + [49407] * (n - len(i)) for i in ids]),
                                     attention_mask=torch.tensor([[1] * len(i) + [0] * (n - len(i)) for i in ids]))


def load(cls, name):
    m = cls.from_pretrained(f"{folder}/{name}", torch_dtype=dtype).eval()
    return m.to(memory_format=torch.channels_last) if "UNet" in cls.__name__ else m


text = load(CLIPTextModelWithProjection, "text_encoder")
text.config.eos_token_id = text.text_model.eos_token_id = 2    # the position of the largest id, as OpenAI's files have it
sched = {s: UnCLIPScheduler.from_pretrained(f"{folder}/{s}_scheduler") for s in ("prior", "decoder", "super_res")}
pipe = UnCLIPPipeline(text_encoder=text, tokenizer=Ids(), text_proj=load(UnCLIPTextProjModel, "text_proj"), prior=load(PriorTransformer, "prior"),
                      decoder=load(UNet2DConditionModel, "decoder"), super_res_first=load(UNet2DModel, "super_res_first"),
                      super_res_last=load(UNet2DModel, "super_res_last"), **{s + "_scheduler": x for s, x in sched.items()})
pipe.set_progress_bar_config(disable=True)
if kind.startswith("dfc"):
    for part in ("prior", "decoder", "super_res_first", "super_res_last"):
        setattr(pipe, part, torch.compile(getattr(pipe, part), dynamic=False))
resize = torch.nn.functional.interpolate    # has no antialiased bf16, where the pipeline needs it
torch.nn.functional.interpolate = lambda x, **k: resize(x.float(), **k).to(x.dtype) if k.get("antialias") else resize(x, **k)
stamps = {}


def stamped(name, step):
    def run(*a, **k):
        stamps.setdefault(name, []).append(time.perf_counter())
        return step(*a, **k)
    return run


for name, s in (("prior", "prior"), ("decode64", "decoder"), ("upsample", "super_res")):
    sched[s].step = stamped(name, sched[s].step)


def run(n):
    stamps.clear()
    t = time.perf_counter()
    image = pipe("a red apple", prior_num_inference_steps=n[0], decoder_num_inference_steps=n[1], super_res_num_inference_steps=n[2]).images[0]
    image.save(out)
    return time.perf_counter() - t


say, sys.stdout = sys.stdout, sys.stderr
warm = run([2, 2, 2]) if kind.startswith("dfc") else 0
r = run(steps)
print(json.dumps({"run": r, "warm": warm, "step": {k: [b - a for a, b in zip(v, v[1:])] for k, v in stamps.items()}}), file=say)
