#!/usr/bin/env python3
"""peer_photos.py oc-f32|oc-bf16|hf-f32|hf-bf16 FOLDER FILE...: a directory of photos as users of open_clip and transformers
embed it.  Prints the seconds a photo takes, without loading, as a JSON list of one.

open_clip: its transforms in a DataLoader with a worker for each processor, batches of 16, as its documentation trains and
evaluates.  transformers: CLIPProcessor on lists of 16 images.  FOLDER: the directory of a model in transformers' layout."""
import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from PIL import Image

BATCH, THREADS = 16, len(os.sched_getaffinity(0))
kind, folder, files = sys.argv[1], sys.argv[2], sys.argv[3:]
dtype = torch.bfloat16 if kind.endswith("bf16") else torch.float32
torch.set_num_threads(THREADS)


class Files(torch.utils.data.Dataset):
    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return len(files)

    def __getitem__(self, i):
        return self.transform(Image.open(files[i]).convert("RGB"))


def open_clip_model():
    import open_clip
    name = {512: "ViT-B-32", 768: "ViT-L-14"}[json.load(open(f"{folder}/config.json"))["projection_dim"]]
    m, _, transform = open_clip.create_model_and_transforms(name + "-quickgelu", precision="bf16" if dtype != torch.float32 else "fp32")
    m.eval().encode_image(torch.zeros(BATCH, 3, 224, 224, dtype=dtype))
    return m, transform


def open_clip_batches(m, transform):
    for x in torch.utils.data.DataLoader(Files(transform), BATCH, num_workers=THREADS):
        yield len(m.encode_image(x.to(dtype)))


def transformers_batches():
    from transformers import CLIPImageProcessor, CLIPModel
    m = CLIPModel.from_pretrained(folder, torch_dtype=dtype).eval()
    p = CLIPImageProcessor.from_pretrained(folder)
    for i in range(0, len(files), BATCH):
        x = p(images=[Image.open(f) for f in files[i:i + BATCH]], return_tensors="pt")
        yield len(m.get_image_features(pixel_values=x["pixel_values"].to(dtype)))


say, sys.stdout = sys.stdout, sys.stderr
with torch.inference_mode():
    if kind.startswith("oc"):    # workers run ahead: all of it counts
        m = open_clip_model()
        t = time.perf_counter()
        done = sum(open_clip_batches(*m))
    else:                        # one thing after another: the first batch warms up
        each = transformers_batches()
        next(each)
        t = time.perf_counter()
        done = sum(each)
    print(json.dumps([(time.perf_counter() - t) / done]), file=say)
