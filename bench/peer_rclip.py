#!/usr/bin/env python3
"""peer_rclip.py DIR: the two networks that rclip downloads, exported from open_clip's ViT-B-32-256 with random weights."""
import pathlib
import shutil
import sys

import open_clip
import torch

d = pathlib.Path(sys.argv[1]) / "ViT-B-32-256-datacomp_s34b_b86k"
words = d.parent / "tokenizer"
d.mkdir(parents=True, exist_ok=True)
words.mkdir(exist_ok=True)
m = open_clip.create_model("ViT-B-32-256").eval()
shutil.copy(pathlib.Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz", words)


class Net(torch.nn.Module):
    def __init__(self, run):
        super().__init__()
        self.m, self.run = m, run

    def forward(self, input):
        return self.run(input)


batch = torch.export.Dim("batch")
for name, run, x in (("visual", m.encode_image, torch.randn(2, 3, 256, 256)), ("textual", m.encode_text, open_clip.tokenize(["a", "b"]))):
    torch.onnx.export(Net(run), (x,), d / f"{name}.onnx", dynamo=True, external_data=False, input_names=["input"],
                      output_names=["output"], dynamic_shapes={"input": {0: batch}})
