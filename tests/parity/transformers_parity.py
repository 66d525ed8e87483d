#!/usr/bin/env python3
"""Compare clip-embed with transformers' CLIPModel on the same weights and the same files.

    transformers_parity.py [-b BIN] MODEL PHOTO...

MODEL is a directory in Hugging Face's layout (build/tests/make_model writes one with random
weights).  Each side decodes, resizes and embeds every photo on its own; the token ids are drawn
here and given to both.  README.md in this directory has the bounds.  Exit status 0: all within them.
"""
import argparse
import os
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("UNCLIP_CACHE", "none")

import msgpack
import msgpack_numpy
import numpy as np
import torch
from PIL import Image, ImageOps
from transformers import CLIPModel

try:  # transformers 5: the slow processor has a name of its own
    from transformers import CLIPImageProcessorPil as Processor
except ImportError:
    from transformers import CLIPImageProcessor as Processor

COSINE, CENTRED = 0.999999, 0.99999
MIRRORED = 4  # so many photos are also mirrored
LENGTHS = (2, 3, 5, 8, 13, 21, 34, 55, 76, 77)


def clip_embed(tool, *args, **kwargs):
    """Run clip-embed and read its records with msgpack and msgpack_numpy only."""
    run = subprocess.run([tool, *args], stdout=subprocess.PIPE, check=True, **kwargs)
    un = msgpack.Unpacker(raw=False, object_hook=msgpack_numpy.decode, max_buffer_size=1 << 31)
    un.feed(run.stdout)
    return [r["data"] for r in un]


def cosines(a, b):
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def tensor(output):
    return getattr(output, "pooler_output", output).numpy().astype(np.float64)


def report(what, ours, theirs):
    """Print the smallest cosine, plain and after subtracting the mean; True if both are within the bounds."""
    mean = theirs.mean(0)
    plain, centred = cosines(ours, theirs).min(), cosines(ours - mean, theirs - mean).min()
    largest = np.abs(ours - theirs).max() / np.abs(theirs).max()
    good = plain >= COSINE and centred >= CENTRED
    print(f"{what}: {len(ours)} vectors of {ours.shape[1]}: 1 - cosine {1 - plain:.3g}, "
          f"centred {1 - centred:.3g}, largest difference {largest:.3g} of the largest value"
          f"{'' if good else ': TOO FAR'}")
    return good


def images(model, folder, tool, photos):
    processor = Processor.from_pretrained(folder)
    ours = np.array([r["image_embed"] for r in clip_embed(tool, "-m", folder, "-o", "-", *photos)])

    def embed(change, names):
        out = []
        for name in names:
            pixels = processor(images=[change(Image.open(name))], return_tensors="pt")["pixel_values"]
            out.append(tensor(model.get_image_features(pixel_values=pixels))[0])
        return np.array(out)

    theirs = embed(lambda p: p, photos)
    good = report("pictures", ours.astype(np.float64), theirs)
    mirrored = embed(lambda p: ImageOps.mirror(p.convert("RGB")), photos[:MIRRORED])
    mean = theirs.mean(0)
    far = cosines(ours[:MIRRORED] - mean, mirrored - mean)
    print(f"mirrored pictures, which must fail: 1 - centred cosine {1 - far.max():.3g} to {1 - far.min():.3g}")
    return good and far.max() < CENTRED


def texts(model, folder, tool):
    text = model.config.text_config
    top = text.vocab_size
    rng = np.random.default_rng(1)
    ids = [[top - 2, *rng.integers(0, top - 2, n - 2).tolist(), top - 1]
           for n in LENGTHS if n <= text.max_position_embeddings]
    stream = b"".join(msgpack.packb({"unclip": 1, "id": str(i), "data": {"tokens": t}})
                      for i, t in enumerate(ids))
    out = clip_embed(tool, "-m", folder, "-o", "-", input=stream)
    padded = torch.tensor([t + [top - 1] * (text.max_position_embeddings - len(t)) for t in ids])
    theirs = tensor(model.get_text_features(input_ids=padded))
    states = model.text_model(input_ids=padded).last_hidden_state.numpy()
    good = report("texts", np.array([r["text_embed"] for r in out]).astype(np.float64), theirs)
    a = np.concatenate([r["text_states"] for r in out]).astype(np.float64)
    b = np.concatenate([states[i, :len(t)] for i, t in enumerate(ids)]).astype(np.float64)
    return report("text states", a, b) and good


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-b", "--bin", default="build/bin", help="where clip-embed is")
    p.add_argument("model")
    p.add_argument("photo", nargs="+")
    args = p.parse_args()
    tool = os.path.join(args.bin, "clip-embed")
    torch.set_grad_enabled(False)
    model = CLIPModel.from_pretrained(args.model, dtype=torch.float32).eval()
    good = texts(model, args.model, tool)
    good = images(model, args.model, tool, args.photo) and good
    print("within bounds" if good else "NOT within bounds")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
