#!/usr/bin/env python3
"""golden_glide.py GLIDE_TEXT2IM FOLDER OUT.safetensors: what openai/glide-text2im makes of the small GLIDE in FOLDER, for tests/golden/emoji.

GLIDE_TEXT2IM is a checkout (@69b530740eb6).  Its InpaintText2ImUNet takes all tensors of the file, strictly; only the number of groups of its
GroupNorm32, which it has as a constant, is set to the one of FOLDER/config.json.  Two rows of 16 x 16 pixels, the second with the empty text.
Needs attrs and regex.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, sys.argv[1])
import glide_text2im.nn as nn
from glide_text2im.tokenizer.bpe import Encoder

folder = pathlib.Path(sys.argv[2])
config = json.loads((folder / "config.json").read_text())
bare = nn.GroupNorm32.__init__
nn.GroupNorm32.__init__ = lambda self, num_groups, num_channels, swish, eps=1e-5: bare(self, config["num_groups"], num_channels, swish, eps)
from glide_text2im.text2im_model import InpaintText2ImUNet

weights = {k: v.float() for k, v in load_file(folder / "base_inpaint.safetensors").items()}
units, width = weights["token_embedding.weight"].shape
places, channels = len(weights["positional_embedding"]), len(weights["input_blocks.0.0.weight"])
merges = [tuple(m.split()) for m in (folder / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]]
words = Encoder(json.loads((folder / "encoder.json").read_text(encoding="utf-8")), merges)
model = InpaintText2ImUNet(
    text_ctx=places, xf_width=width, xf_layers=sum(k.endswith("ln_1.weight") for k in weights), xf_heads=width // 64, xf_final_ln=True, tokenizer=words,
    in_channels=3, model_channels=channels, out_channels=6, num_res_blocks=1, attention_resolutions=(4, 8), dropout=0.1,
    channel_mult=tuple(len(weights[f"input_blocks.{i}.0.out_layers.3.bias"]) // channels for i in (1, 3, 5, 7)), use_fp16=False, num_heads=1,
    num_head_channels=config["num_head_channels"], num_heads_upsample=-1, use_scale_shift_norm=True, resblock_updown=True, xf_padding=True, cache_text_emb=False).eval()
model.load_state_dict(weights)
torch.manual_seed(1)
io = dict(x=torch.randn(2, 3, 16, 16), timesteps=torch.tensor([700, 100]), inpaint_image=torch.rand(2, 3, 16, 16) * 2 - 1, inpaint_mask=(torch.rand(2, 1, 16, 16) < 0.5).float())
rows = [words.padded_tokens_and_mask(words.encode(t), places) for t in ("a red apple on a light blue background", "")]
io.update(tokens=torch.tensor([r[0] for r in rows]), mask=torch.tensor([r[1] for r in rows]))
with torch.no_grad():
    out = model(io["x"], io["timesteps"], tokens=io["tokens"], mask=io["mask"], inpaint_image=io["inpaint_image"], inpaint_mask=io["inpaint_mask"])
    text = model.get_text_emb(io["tokens"], io["mask"])
io.update(out=out, xf_proj=text["xf_proj"], xf_out=text["xf_out"].contiguous())
save_file({k: (v.int() if v.dtype in (torch.int64, torch.bool) else v).contiguous() for k, v in io.items()}, sys.argv[3], metadata={"format": "pt"})
print("eps of row 0:", out[0, :3].std().item(), "largest", out.abs().max().item())
