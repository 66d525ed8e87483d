#!/usr/bin/env python3
"""eval_prior.py COMMAND ...: what a prior's embeddings are worth, for compare_priors.sh.  Streams come as the lines of record-json --arrays.

    captions POOL MODEL N OUT       N different captions of those scenes of POOL/pool.pt that no prior has learned from: OUT/captions, one a
                                    line, and OUT/truth.npy [N,E], the embeddings of their pictures by the CLIP of the box
    score OUT NAME                  of the stream: cosine of each image_embed to its own true picture and to its text, and how often its own
                                    picture is the nearest of all N, or among the nearest five
"""
import json
import pathlib
import sys

import numpy as np


def captions(pool, model, n, out):
    import torch
    pool, words = torch.load(pathlib.Path(pool) / "pool.pt"), json.load(open(pathlib.Path(model) / "tokenizer/vocab.json"))
    word = {i: w for w, i in words.items()}
    text, image = [], []
    for row in range(len(pool["image"]) - len(pool["image"]) // 40, len(pool["image"])):
        ids = pool["ids"][row][1 : int(pool["length"][row]) - 1].tolist()
        t = "".join(word[i] for i in ids).replace("</w>", " ").strip()
        if t not in text and len(text) < int(n):
            text.append(t)
            image.append(pool["image"][row].numpy())
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "captions").write_text("".join(t + "\n" for t in text))
    np.save(out / "truth.npy", np.stack(image))


def unit(v):
    v = np.asarray(v, np.float64)
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def score(out, name):
    truth, order = unit(np.load(pathlib.Path(out) / "truth.npy")), {}
    for i, t in enumerate(open(pathlib.Path(out) / "captions").read().splitlines()):
        order[t] = i
    own, image, text = [], [], []
    for line in sys.stdin:
        d = json.loads(line)["data"]
        own.append(order[d["text"]])
        image.append(d["image_embed"])
        text.append(d["text_embed"])
    own, image, text = np.array(own), unit(image), unit(text)
    cos = image @ truth.T
    rank = (cos > cos[np.arange(len(own)), own][:, None]).sum(1)
    print(f"| {name} | {cos[np.arange(len(own)), own].mean():.3f} | {100 * (rank == 0).mean():.0f} % | {100 * (rank < 5).mean():.0f} % | "
          f"{(image * text).sum(1).mean():.3f} |", flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
