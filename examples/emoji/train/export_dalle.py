#!/usr/bin/env python3
"""export_dalle.py OUT [--vq RUN/last.pt] [--dalle RUN]: OUT/vqgan and OUT/dalle in the layout of the model in the box.

vqgan/ is taming's: config.yaml, model.safetensors.  dalle/ is ruDALL-E's names with a config.json of our own, bpe.model as YouTokenToMe
writes it, model.safetensors.  float16 (stored.py), averaged weights.
"""
import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

from dalle import DALLE, Dalle
from export_unclip import averaged
from stored import stored
from vqgan import VQModel, config


def write(folder, net):
    t = {k: stored(v) for k, v in net.state_dict().items()}
    assert all(v.isfinite().all() for v in t.values()), folder
    save_file(t, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    print(f"{folder.name}: {len(t)} tensors, {sum(v.numel() for v in t.values())} parameters, {(folder / 'model.safetensors').stat().st_size / 2**20:.2f} MiB")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out", type=pathlib.Path)
    ap.add_argument("--vq", type=pathlib.Path)
    ap.add_argument("--dalle", type=pathlib.Path)
    a = ap.parse_args()
    torch.manual_seed(0)
    if a.vq:
        folder = a.out / "vqgan"
        folder.mkdir(parents=True, exist_ok=True)
        net = VQModel()
        book = net.quantize.embedding.weight
        averaged(net, a.vq)
        assert not book.requires_grad
        write(folder, net)
        (folder / "config.yaml").write_text(config())
    if a.dalle:
        folder = a.out / "dalle"
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, averaged(Dalle(), a.dalle / "last.pt"))
        shutil.copy(a.dalle / "bpe.model", folder / "bpe.model")
        c = dict(family="rudalle", hf_version="v3", num_layers=DALLE["layers"], hidden_size=DALLE["width"], num_attention_heads=DALLE["heads"],
                 text_seq_length=DALLE["text"], image_tokens_per_dim=DALLE["side"], vocab_size=DALLE["units"] + DALLE["text"],
                 image_vocab_size=DALLE["codes"], cogview_sandwich_layernorm=True)
        (folder / "config.json").write_text(json.dumps(c, indent=2) + "\n")


if __name__ == "__main__":
    main()
