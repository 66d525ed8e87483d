#!/usr/bin/env python3
"""eval_unclip.py COMMAND ...: the parts of evaluate.sh that are arithmetic on streams, and the pictures that it starts from.

    prompts CACHE [FOLDER]          100 captions of the grammar, drawn with a fixed seed (prompts.txt was made so); their
                                    pictures as PNG, numbered
    scenes CACHE FOLDER N           N scenes as the decoder is trained on, from another seed, as PNG
    psnr A B                        peak signal to noise of the pictures of B against those of A, record by record
    keep A B                        how near the embeddings of B (samples of A's records) are to their own root and to others
    write FOLDER WORD FILE...       the pictures FILE with WORD written on them, as PNG
"""
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
SEED = 2026


def drawn(cache, n, seed):
    import data
    return data.Scenes(cache).batch(np.random.default_rng([seed, 0]), n)


def save(folder, pictures):
    from PIL import Image
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for i, x in enumerate(pictures):
        Image.fromarray(x.permute(1, 2, 0).byte().numpy()).save(folder / f"{i:04d}.png")


def prompts(cache, folder=None):
    pictures, texts = drawn(cache, 130, SEED)
    first = [i for i, t in enumerate(texts) if t not in texts[:i]][:100]
    print("\n".join(texts[i] for i in first))
    if folder:
        save(folder, pictures[first])


def scenes(cache, folder, n):
    save(folder, drawn(cache, int(n), SEED + 1)[0])


def read(name):
    from unclip_read import records
    return list(records(open(name, "rb")))


def levels(x):
    """A picture of a record as 8-bit levels [3, S, S]."""
    return x.transpose(2, 0, 1).astype(float) if x.dtype == np.uint8 else np.clip(np.round(255 * (0.5 * x.astype(float) + 0.5)), 0, 255)


def psnr(a, b):
    a, out = {r["id"]: levels(r["data"]["image"]) for r in read(a)}, []
    for r in read(b):
        out.append(20 * np.log10(255 / np.sqrt(np.mean((a[r["id"]] - levels(r["data"]["image"])) ** 2))))
    out = np.array(out)
    print(f"{len(out)} pictures: median {np.median(out):.1f} dB, mean {out.mean():.1f}, worst {out.min():.1f}, best {out.max():.1f}; "
          f"{np.sum(out >= 25)} of them 25 dB or more")


def unit(rows):
    v = np.stack([r["data"]["image_embed"] for r in rows]).astype(float)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def keep(a, b):
    a, b = read(a), read(b)
    at = {r["id"]: i for i, r in enumerate(a)}
    own = np.array([at[r["data"].get("root", r["id"])] for r in b])
    cos = unit(b) @ unit(a).T
    same = cos[np.arange(len(b)), own]
    others = (cos.sum(1) - same) / (len(a) - 1)
    print(f"{len(b)} variations of {len(a)} pictures: mean cosine to their own {same.mean():.3f}, to the others {others.mean():.3f}; "
          f"nearest to their own {100 * np.mean(cos.argmax(1) == own):.1f} %")


def write(folder, word, *files):
    from PIL import Image, ImageDraw, ImageFont
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for f in files:
        im = Image.open(f).convert("RGB").resize((256, 256))
        d = ImageDraw.Draw(im)
        font = ImageFont.load_default(44)
        left, top, right, bottom = d.textbbox((0, 0), word, font=font)
        x, y = 128 - (right - left) // 2, 190
        d.rectangle((x - 8, y - 4, x + right + 8, y + bottom + 8), fill="white", outline="black", width=2)
        d.text((x, y), word, fill="black", font=font)
        im.save(folder / pathlib.Path(f).name)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
