#!/usr/bin/env python3
"""diffusers_parity.py [BIN [DIRECTORY]]: compare the pictures of the programs with those of diffusers' UnCLIPPipeline.

Makes a tiny Karlo with diffusers' own classes and random weights, saved with save_pretrained, and compares
    clip-tok | clip-embed | prior --rng torch | decode64 --rng torch | upsample --rng torch
with UnCLIPPipeline and torch.Generator("cpu").manual_seed(SEED), and
    clip-embed PICTURE | decode64 --rng torch | upsample --rng torch
with UnCLIPImageVariationPipeline.  With DIRECTORY, for example examples/emoji, both sides read that model instead.
Prints, for each pipeline, the largest difference, and how many of the 8-bit values differ at all and by more than one.
Exit status 1 when too many differ.

Needs torch, diffusers 0.33 or older (later ones have no UnCLIPPipeline), transformers 4, numpy, msgpack, Pillow;
not part of make check.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import msgpack
import numpy as np
import torch
from diffusers import (PriorTransformer, UNet2DConditionModel, UNet2DModel, UnCLIPImageVariationPipeline, UnCLIPPipeline,
                       UnCLIPScheduler)
from diffusers.pipelines.unclip.text_proj import UnCLIPTextProjModel
from PIL import Image
from transformers import (CLIPImageProcessor, CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionConfig,
                          CLIPVisionModelWithProjection)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/bin").resolve()
STEPS = dict(prior=5, decoder=6, upsample=7)
E = 32


def build(folder):
    torch.manual_seed(0)
    tok = CLIPTokenizer(ROOT / "examples/emoji/tokenizer/vocab.json", ROOT / "examples/emoji/tokenizer/merges.txt",
                        pad_token="!", model_max_length=77)
    text = CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=len(tok), hidden_size=E, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=77, projection_dim=E, bos_token_id=0, eos_token_id=2, pad_token_id=1))
    image = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8,
        projection_dim=E))
    prior = PriorTransformer(num_attention_heads=4, attention_head_dim=16, num_layers=3, embedding_dim=E,
                             num_embeddings=77, additional_embeddings=4)
    proj = UnCLIPTextProjModel(clip_extra_context_tokens=4, clip_embeddings_dim=E, time_embed_dim=32, cross_attention_dim=48)
    down, up = "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnUpBlock2D"
    decoder = UNet2DConditionModel(
        sample_size=16, in_channels=3, out_channels=6, block_out_channels=(8, 16, 24, 32), layers_per_block=3, norm_num_groups=8,
        attention_head_dim=8, cross_attention_dim=48, resnet_time_scale_shift="scale_shift", class_embed_type="identity",
        down_block_types=("ResnetDownsampleBlock2D", down, down, down), mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=(up, up, up, "ResnetUpsampleBlock2D"))
    sr = [UNet2DModel(sample_size=64, in_channels=6, out_channels=3, block_out_channels=(8, 16, 24, 32), layers_per_block=3,
                      norm_num_groups=8, add_attention=False, down_block_types=("ResnetDownsampleBlock2D",) * 4,
                      up_block_types=("ResnetUpsampleBlock2D",) * 4) for _ in range(2)]
    sched = dict(
        prior=UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=5.0),
        decoder=UnCLIPScheduler(variance_type="learned_range", prediction_type="epsilon"),
        super_res=UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="epsilon"))
    prior.clip_mean.data.normal_()
    prior.clip_std.data.uniform_(0.5, 1.5)
    proj.learned_classifier_free_guidance_embeddings.data.normal_()
    for m in (text, image):    # the library's initial scale leaves towers that say next to nothing
        for p in m.parameters():
            if p.dim() > 1:
                p.data.mul_(8)
    common = dict(decoder=decoder, text_encoder=text, tokenizer=tok, text_proj=proj, super_res_first=sr[0], super_res_last=sr[1],
                  decoder_scheduler=sched["decoder"], super_res_scheduler=sched["super_res"])
    pipe = UnCLIPPipeline(prior=prior, prior_scheduler=sched["prior"], **common)
    vary = UnCLIPImageVariationPipeline(feature_extractor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
                                        image_encoder=image, **common)
    pipe.save_pretrained(folder / "karlo")
    vary.save_pretrained(folder / "variations")
    for p in (pipe, vary):
        p.set_progress_bar_config(disable=True)
    return pipe, vary


def shell(command, model, stdin=b""):
    env = dict({"UNCLIP_CACHE": "none"} | os.environ, PATH=f"{BIN}:{os.environ['PATH']}", UNCLIP_MODEL=str(model))
    out = subprocess.run(["sh", "-c", command], input=stdin, env=env, stdout=subprocess.PIPE, check=True).stdout
    pictures = []
    for r in msgpack.Unpacker(__import__("io").BytesIO(out), raw=False, strict_map_key=False):
        t = r["data"]["image"]
        x = np.frombuffer(t[b"data"], t[b"type"]).reshape(t[b"shape"])
        pictures.append(np.clip(0.5 * x + 0.5, 0, 1).transpose(1, 2, 0))
    return np.stack(pictures)


def compare(what, ours, theirs):
    a, b = np.round(255 * ours).astype(int), np.round(255 * theirs).astype(int)
    off = np.abs(a - b)
    print(f"{what}: largest difference {np.abs(ours - theirs).max():.2e}, of {a.size} 8-bit values {np.sum(off > 0)} differ, "
          f"{np.sum(off > 1)} by more than one")
    return np.mean(off > 1) < 1e-3


def main():
    good = True
    with tempfile.TemporaryDirectory() as d:
        if len(sys.argv) > 2:
            folder, models = sys.argv[2], [sys.argv[2]] * 2
            pipe, vary = (c.from_pretrained(folder, torch_dtype=torch.float32) for c in (UnCLIPPipeline, UnCLIPImageVariationPipeline))
            for p in (pipe, vary):
                p.set_progress_bar_config(disable=True)
        else:
            models = [pathlib.Path(d) / "karlo", pathlib.Path(d) / "variations"]
            pipe, vary = build(pathlib.Path(d))
        flags = "--rng torch --precision f32"
        for seed, prompt, n in ((0, "a red apple", 1), (1, "a blue fish left of a house", 1), (7, "sun", 2)):
            theirs = pipe(prompt, num_images_per_prompt=n, generator=torch.Generator("cpu").manual_seed(seed),
                          prior_num_inference_steps=STEPS["prior"], decoder_num_inference_steps=STEPS["decoder"],
                          super_res_num_inference_steps=STEPS["upsample"], output_type="np").images
            ours = shell(f"clip-tok | clip-embed | prior {flags} -s {seed} -n {n} --steps {STEPS['prior']} | "
                         f"decode64 {flags} -s {seed} --steps {STEPS['decoder']} | upsample {flags} -s {seed}",
                         models[0], prompt.encode() + b"\n")
            good &= compare(f"'{prompt}', seed {seed}, {n} picture(s)", ours, theirs)
        for seed, name in ((0, "red-heart"), (3, "house")):
            file = ROOT / f"examples/emoji/demo/{name}.png"
            theirs = vary(Image.open(file).convert("RGB"), generator=torch.Generator("cpu").manual_seed(seed),
                          decoder_num_inference_steps=STEPS["decoder"], super_res_num_inference_steps=STEPS["upsample"],
                          output_type="np").images
            ours = shell(f"clip-embed {file} | decode64 {flags} -s {seed} --steps {STEPS['decoder']} | upsample {flags} -s {seed}",
                         models[1])
            good &= compare(f"variation of {name}.png, seed {seed}", ours, theirs)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
