#!/usr/bin/env python3
"""export.py RUN/last.pt EMOJI GOLDEN: write the model folder in Karlo's layout, check it, write golden embeddings.

EMOJI   examples/emoji: gets text_encoder/, image_encoder/, feature_extractor/ (tokenizer/ is there already)
GOLDEN  tests/golden/emoji: gets io.safetensors, computed by transformers in float32 from the float16 weights
"""
import pathlib
import sys

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (CLIPImageProcessor, CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionConfig,
                          CLIPVisionModelWithProjection)

import data
import eval_clip
from model import EMBED, TEXT, VISION

PICTURES = ["cat-face", "fish", "red-heart", "snowman"]
TEXTS = ["cat face", "fish", "a photo of a red heart.", "a small snowman on a blue background", "a red apple left of a cat", ""]


def main():
    run, out, golden = map(pathlib.Path, sys.argv[1:4])
    net, tok = eval_clip.load(run)
    tc = CLIPTextConfig(vocab_size=TEXT["vocab"], hidden_size=TEXT["width"], intermediate_size=4 * TEXT["width"], projection_dim=EMBED,
                        num_hidden_layers=TEXT["layers"], num_attention_heads=TEXT["width"] // 64, max_position_embeddings=TEXT["context"],
                        hidden_act="quick_gelu", bos_token_id=tok.sot, eos_token_id=tok.eot, pad_token_id=0)
    vc = CLIPVisionConfig(hidden_size=VISION["width"], intermediate_size=4 * VISION["width"], projection_dim=EMBED, hidden_act="quick_gelu",
                          num_hidden_layers=VISION["layers"], num_attention_heads=VISION["width"] // 64, image_size=VISION["size"], patch_size=VISION["patch"])
    for tower, cls, config, folder, extra in ((net.text, CLIPTextModelWithProjection, tc, "text_encoder", dict(logit_scale=net.logit_scale.data)),
                                              (net.vision, CLIPVisionModelWithProjection, vc, "image_encoder", {})):
        m = cls(config)
        missing = m.load_state_dict(tower.state_dict(), strict=False)
        assert not missing.unexpected_keys and all("position_ids" in k for k in missing.missing_keys), missing
        m.half().save_pretrained(out / folder)
        t = load_file(out / folder / "model.safetensors")
        save_file({**t, **extra}, out / folder / "model.safetensors", metadata={"format": "pt"})
    CLIPImageProcessor(size={"shortest_edge": VISION["size"]}, crop_size={"height": VISION["size"], "width": VISION["size"]}, resample=3, do_resize=True,
                       do_center_crop=True, do_rescale=True, rescale_factor=1 / 255, do_normalize=True, image_mean=data.OPENAI[0], image_std=data.OPENAI[1],
                       do_convert_rgb=True).save_pretrained(out / "feature_extractor")

    for f in (out / "text_encoder/model.safetensors", out / "image_encoder/model.safetensors"):
        f.chmod(0o644)

    # read it back with transformers and compare with the training model
    text = CLIPTextModelWithProjection.from_pretrained(out / "text_encoder", dtype=torch.float32).eval()
    vision = CLIPVisionModelWithProjection.from_pretrained(out / "image_encoder", dtype=torch.float32).eval()
    back, _ = eval_clip.load(out)
    ims = [Image.open(out / "demo" / (n + ".png")) for n in PICTURES]
    px = data.normalise(torch.stack([eval_clip.pixels(i) for i in ims]))
    ids = torch.zeros(len(TEXTS), TEXT["context"], dtype=torch.long)
    for i, t in enumerate(TEXTS):
        row = tok.encode(t)
        ids[i, :len(row)] = torch.tensor(row)
    with torch.no_grad():
        v, t = vision(pixel_values=px).image_embeds, text(input_ids=ids)
        for name, n in (("training weights (float32)", net), ("the same model from the written float16", back)):
            print(f"transformers against {name}: max error image {float((n.vision(px) - v).abs().max()):.2e}, text {float((n.text(ids) - t.text_embeds).abs().max()):.2e}")
    theirs = CLIPTokenizer.from_pretrained(out / "tokenizer")
    theirs_ids = theirs(TEXTS, padding="max_length", max_length=TEXT["context"], return_tensors="pt").input_ids
    print("transformers' tokenizer agrees:", bool((theirs_ids == ids).all()))
    p = CLIPImageProcessor.from_pretrained(out / "feature_extractor")(images=[i.convert("RGB") for i in ims], return_tensors="pt")["pixel_values"]
    print(f"transformers' image processor against ours: max difference {float((p - px).abs().max()):.2e} (one grey level is 0.015)")
    i_hat, t_hat = v / v.norm(dim=1, keepdim=True), t.text_embeds / t.text_embeds.norm(dim=1, keepdim=True)
    golden.mkdir(parents=True, exist_ok=True)
    save_file(dict(image=px.contiguous(), image_embeds=v.contiguous(), input_ids=ids, text_embeds=t.text_embeds.contiguous(),
                   last_hidden_state=t.last_hidden_state.contiguous(), logits_per_image=(back.logit_scale.exp().detach() * i_hat @ t_hat.T).contiguous()),
              golden / "io.safetensors")
    (golden / "io.safetensors").chmod(0o644)
    (golden / "README").write_text(
        "io.safetensors holds reference embeddings of the model in examples/emoji, computed by transformers'\n"
        "CLIPTextModelWithProjection and CLIPVisionModelWithProjection in float32 from the float16 weights.\n"
        "Made by: examples/emoji/train/export.py (run it again whenever the weights change).\n\n"
        "image [N,3,64,64] f32        preprocessed pictures: " + ", ".join(f"demo/{n}.png" for n in PICTURES) + "\n"
        "image_embeds [N,256] f32     not normalised\n"
        "input_ids [M,48] i64         padded with 0; texts: " + ", ".join(f"'{t}'" for t in TEXTS) + "\n"
        "text_embeds [M,256] f32      not normalised\n"
        "last_hidden_state [M,48,256] f32   after the final layer norm, pad positions included\n"
        "logits_per_image [N,M] f32   exp(logit_scale) times the cosine\n\n"
        "unclip.safetensors holds one picture of diffusers' UnCLIPPipeline from the same folder, in float32 with a CPU generator; prompt,\n"
        "seed and steps are in its metadata.  Made by: examples/emoji/train/export_unclip.py --golden.\n\n"
        "image_embed [256] f32        what the prior drew\n"
        "small [3,32,32] f32          the decoder's picture, clamped, every other pixel\n"
        "image [3,64,64] f32          the upsampler's picture, clamped, pixels 1, 5, 9 ... both ways\n")


if __name__ == "__main__":
    main()
