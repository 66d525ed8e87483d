#!/usr/bin/env python3
"""export_unclip.py EMOJI [--prior F] [--decoder F] [--upsampler F] [--last F] [--variance V] [--golden DIR] [--random] [--unchecked]: the diffusion side in Karlo's layout.

EMOJI is examples/emoji, or any folder to which export.py has written the CLIP.  Each part whose checkpoint is given is
written: prior/, text_proj/ and decoder/, super_res_first/ and super_res_last/ (the same network, unless --last names
another), as float16 safetensors of the averaged weights with diffusers' config.json; and the three schedulers and
model_index.json.  --random makes up the parts that have no checkpoint, for tests.

--variance V, default -1, makes the decoder's variance channels that constant: -1 is the posterior's variance, 1 beta.
A network that has learned them for a thousand steps and is sampled with 25 leaves too much noise after the last one;
"learned" leaves them as they are.

Where diffusers 0.33 or older is installed, what was written is read back by its classes and held against the modules it
was trained as, unless --unchecked.  --golden DIR: what its pipeline draws from the folder, for tests/cli/emoji.bats.
tests/parity/diffusers_parity.py BIN EMOJI holds our programs against the same pipeline.
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

from model import EMBED, TEXT
from stored import stored
from unet import DECODER, UPSAMPLER, TextProj, UNet

EXTRA = 4
KARLO = {"_diffusers_version": "0.12.0.dev0"}


def unet_config(cfg, sample_size):
    down = {False: "ResnetDownsampleBlock2D", True: "SimpleCrossAttnDownBlock2D"}
    up = {False: "ResnetUpsampleBlock2D", True: "SimpleCrossAttnUpBlock2D"}
    decoder = any(cfg["attention"])
    c = dict(_class_name="UNet2DConditionModel" if decoder else "UNet2DModel", **KARLO, act_fn="silu",
             block_out_channels=list(cfg["widths"]), center_input_sample=False,
             down_block_types=[down[a] for a in cfg["attention"]], up_block_types=[up[a] for a in reversed(cfg["attention"])],
             downsample_padding=1, flip_sin_to_cos=True, freq_shift=0, in_channels=cfg["cin"], out_channels=cfg["cout"],
             layers_per_block=cfg["layers"], mid_block_scale_factor=1, norm_eps=1e-5, norm_num_groups=cfg["groups"],
             resnet_time_scale_shift="scale_shift" if cfg["scale_shift"] else "default", sample_size=sample_size)
    if decoder:
        c |= dict(attention_head_dim=cfg["head"], class_embed_type="identity", cross_attention_dim=cfg["context"],
                  mid_block_type="UNetMidBlock2DSimpleCrossAttn", only_cross_attention=False, upcast_attention=False)
    else:
        c |= dict(add_attention=False, attention_head_dim=8, time_embedding_type="positional")
    return c


def scheduler(prediction, variance, clip):
    return dict(_class_name="UnCLIPScheduler", **KARLO, clip_sample=True, clip_sample_range=clip, num_train_timesteps=1000,
                prediction_type=prediction, variance_type=variance)


SCHEDULERS = dict(prior_scheduler=scheduler("sample", "fixed_small_log", 5.0), decoder_scheduler=scheduler("epsilon", "learned_range", 1.0),
                  super_res_scheduler=scheduler("epsilon", "fixed_small_log", 1.0))
INDEX = dict(_class_name="UnCLIPPipeline", **KARLO, prior=["diffusers", "PriorTransformer"], decoder=["diffusers", "UNet2DConditionModel"],
             text_proj=["unclip", "UnCLIPTextProjModel"], text_encoder=["transformers", "CLIPTextModelWithProjection"],
             tokenizer=["transformers", "CLIPTokenizer"], super_res_first=["diffusers", "UNet2DModel"], super_res_last=["diffusers", "UNet2DModel"],
             image_encoder=["transformers", "CLIPVisionModelWithProjection"], feature_extractor=["transformers", "CLIPImageProcessor"],
             **{s: ["diffusers", "UnCLIPScheduler"] for s in SCHEDULERS})


def prior_module():
    from prior import PRIOR, Prior
    c = dict(_class_name="PriorTransformer", **KARLO, num_attention_heads=PRIOR["heads"], attention_head_dim=PRIOR["head"], num_layers=PRIOR["layers"],
             embedding_dim=EMBED, num_embeddings=TEXT["context"], additional_embeddings=EXTRA, dropout=0.0)
    return Prior(**PRIOR), c


def averaged(net, path):
    """The exponential average of a run, put into net."""
    s = torch.load(path, map_location="cpu")
    net.load_state_dict(s["net"])
    for p, a in zip(net.parameters(), s["ema"], strict=True):
        if p.requires_grad:
            p.data.copy_(a)
    print(f"{path}: step {s['step']}, {s['spent'] / 60:.1f} minutes")
    return net


def scramble(net):
    """Weights that say something: the branches that training starts at nothing among them."""
    for p in net.parameters():
        if p.dim() > 1:
            torch.nn.init.normal_(p, std=p[0].numel() ** -0.5)
    return net


def write(out, name, net, config):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    t = {k: stored(v) for k, v in net.state_dict().items()}
    assert all(v.isfinite().all() for v in t.values()), name
    file = folder / "diffusion_pytorch_model.safetensors"
    save_file(t, file, metadata={"format": "pt"})
    file.chmod(0o644)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    net.load_state_dict({k: v.float() for k, v in t.items()})  # what was written is what is checked
    print(f"{name}: {len(t)} tensors, {sum(v.numel() for v in t.values())} parameters, {file.stat().st_size / 2**20:.2f} MiB")


def export(a):
    """Writes the parts; returns them as torch modules by name."""
    parts = {}
    torch.manual_seed(a.seed)
    if a.prior or a.random:
        net, c = prior_module()
        parts["prior"] = averaged(net, a.prior) if a.prior else scramble(net), c
    if a.decoder or a.random:
        both = torch.nn.ModuleDict(dict(unet=UNet(DECODER), proj=TextProj(EMBED, 4 * DECODER["widths"][0], DECODER["context"])))
        both = averaged(both, a.decoder) if a.decoder else scramble(both)
        parts["text_proj"] = both["proj"], dict(_class_name="UnCLIPTextProjModel", **KARLO, clip_embeddings_dim=EMBED, clip_extra_context_tokens=EXTRA,
                                                cross_attention_dim=DECODER["context"], time_embed_dim=4 * DECODER["widths"][0])
        if a.variance != "learned":
            both["unet"].conv_out.weight.data[3:] = 0
            both["unet"].conv_out.bias.data[3:] = float(a.variance)
        parts["decoder"] = both["unet"], unet_config(DECODER, DECODER["sample_size"])
    if a.upsampler or a.random:
        for name, path in (("super_res_first", a.upsampler), ("super_res_last", a.last or a.upsampler)):
            net = averaged(UNet(UPSAMPLER), path) if path else scramble(UNet(UPSAMPLER))
            parts[name] = net, unet_config(UPSAMPLER, UPSAMPLER["sample_size"] if name.endswith("first") else None)
    for name, (net, config) in parts.items():
        write(a.out, name, net.eval(), config)
    for name, config in SCHEDULERS.items():
        (a.out / name).mkdir(exist_ok=True)
        (a.out / name / "scheduler_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (a.out / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")
    total = sum(f.stat().st_size for f in a.out.rglob("*.safetensors"))
    print(f"all weights: {total / 2**20:.1f} MiB")
    assert total <= 112 << 20, "more than 112 MiB"
    return {name: net for name, (net, _) in parts.items()}


@torch.no_grad()
def check(out, parts):
    """diffusers' classes on what was written, against the modules."""
    from diffusers import PriorTransformer, UNet2DConditionModel, UNet2DModel
    from diffusers.pipelines.unclip.text_proj import UnCLIPTextProjModel
    classes = dict(prior=PriorTransformer, text_proj=UnCLIPTextProjModel, decoder=UNet2DConditionModel, super_res_first=UNet2DModel, super_res_last=UNet2DModel)
    n, length, told, rng = 2, 11, TEXT["context"], torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(shape, generator=rng)
    text, image, states = draw(n, EMBED), draw(n, EMBED), draw(n, told, EMBED)
    mask = torch.arange(told) < torch.tensor([[length], [3]])
    bias = torch.where(mask, 0.0, -10000.0)
    t = torch.tensor([541, 3])
    for name, net in parts.items():
        theirs, info = classes[name].from_pretrained(out / name, torch_dtype=torch.float32, output_loading_info=True)
        assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
        if name == "prior":
            a, b = net(image, t, text, states, mask), theirs(image, t, text, states, mask.float()).predicted_image_embedding
        elif name == "text_proj":
            add, ctx, _ = net(image, text, states, mask)
            ctx2, add2 = theirs(image_embeddings=image, prompt_embeds=text, text_encoder_hidden_states=states, do_classifier_free_guidance=False)
            a, b = torch.cat((add, ctx.flatten(1)), 1), torch.cat((add2, ctx2.flatten(1)), 1)
        elif name == "decoder":
            x, add, ctx = draw(n, 3, 64, 64), draw(n, 4 * DECODER["widths"][0]), draw(n, EXTRA + told, DECODER["context"])
            m = torch.nn.functional.pad(mask, (EXTRA, 0), value=True)
            a = net(x, t, add, ctx, torch.nn.functional.pad(bias, (EXTRA, 0)))
            b = theirs(x, t, ctx, class_labels=add, attention_mask=m).sample
        else:
            x = draw(n, 6, 64, 64)
            a, b = net(x, t), theirs(x, t).sample
        off = (a - b).abs().max() / b.abs().max()
        print(f"{name}: diffusers' {classes[name].__name__} differs by {float(off):.1e} of the largest value")
        assert off < 1e-4


GOLDEN = dict(prompt="a red apple", seed=3, prior=5, decoder=5, upsample=7)


def golden(out, folder):
    """One picture of diffusers' pipeline with few steps, stage by stage."""
    from diffusers import UnCLIPPipeline
    pipe = UnCLIPPipeline.from_pretrained(out, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    seen, decode, step = {}, pipe.text_proj.forward, pipe.decoder_scheduler.step
    pipe.text_proj.forward = lambda **k: (seen.setdefault("image_embed", k["image_embeddings"][-1].clone()), decode(**k))[1]

    def keep(*a, **k):
        out = step(*a, **k)
        seen["small"] = out.prev_sample[0].clamp(-1, 1)
        return out

    pipe.decoder_scheduler.step = keep
    im = pipe(GOLDEN["prompt"], generator=torch.Generator("cpu").manual_seed(GOLDEN["seed"]), prior_num_inference_steps=GOLDEN["prior"],
              decoder_num_inference_steps=GOLDEN["decoder"], super_res_num_inference_steps=GOLDEN["upsample"], output_type="np").images[0]
    im = torch.from_numpy(im).permute(2, 0, 1)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(image_embed=seen["image_embed"].contiguous(), small=seen["small"][:, ::2, ::2].contiguous(),
                   image=im[:, 1::4, 1::4].mul(2).sub(1).contiguous()), folder / "unclip.safetensors",
              metadata={k: str(v) for k, v in GOLDEN.items()})
    (folder / "unclip.safetensors").chmod(0o644)
    print(f"golden: {GOLDEN}")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out", type=pathlib.Path)
    for part in ("prior", "decoder", "upsampler", "last", "golden"):
        ap.add_argument("--" + part, type=pathlib.Path)
    ap.add_argument("--variance", default="-1")
    ap.add_argument("--random", action="store_true")
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--unchecked", action="store_true")
    a = ap.parse_args()
    parts = export(a)
    if a.unchecked:
        return
    try:
        import diffusers
        print("diffusers", diffusers.__version__)
    except ImportError:
        print("diffusers is not there: not checked")
        return
    check(a.out, parts)
    if a.golden:
        golden(a.out, a.golden)


if __name__ == "__main__":
    main()
