#!/usr/bin/env python3
"""peer_start.py hf-f32|oc-f32 FOLDER: the script that a user writes to get one text embedding; peers.py times it."""
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch

if sys.argv[1].startswith("hf"):
    from transformers import CLIPTextModelWithProjection
    m = CLIPTextModelWithProjection.from_pretrained(sys.argv[2]).eval()
    with torch.inference_mode():    # without its tokenizer, whose vocabulary is not at hand
        e = m(input_ids=torch.tensor([[49406, 320, 736, 3055, 49407]])).text_embeds
else:
    import json
    import open_clip
    width = json.load(open(f"{sys.argv[2]}/open_clip_config.json"))["model_cfg"]["embed_dim"]
    m = open_clip.create_model({512: "ViT-B-32", 768: "ViT-L-14"}[width] + "-quickgelu",
                               pretrained=f"{sys.argv[2]}/open_clip_model.safetensors").eval()
    with torch.inference_mode():
        e = m.encode_text(open_clip.tokenize(["a red apple"]))
print(float(e.sum()))
