#!/usr/bin/env python3
"""make_resize.py: resize_cases.json and resize_filters.h again, by the Pillow that is installed.

usage: tests/golden/make_resize.py      (in tests/golden; needs Pillow and numpy)

The sizes, modes and crops stay as they are in the files; what is computed anew are the CRC-32 of the pixels, the
first pixels, and the name of the version.
"""
import json, os, re, zlib

import numpy as np
import PIL
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))


def noise(h, w, channels, first=0):
    y, x, c = np.meshgrid(np.arange(h, dtype=np.uint64), np.arange(w, dtype=np.uint64),
                          np.arange(first, first + channels, dtype=np.uint64), indexing="ij")
    return mix(x, y, c)


def mix(x, y, c):
    m = np.uint64(0xFFFFFFFF)
    v = (x * np.uint64(1103515245) + y * np.uint64(12345) + c * np.uint64(2654435761) + x * y * np.uint64(97)) & m
    v ^= v >> np.uint64(15)
    v = v * np.uint64(2246822519) & m
    v ^= v >> np.uint64(13)
    return (v & np.uint64(255)).astype(np.uint8)


def smooth(h, w):
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    return ((x * (c + 1) * 3 + y * (5 - c)) // 4 & 255).astype(np.uint8)


def picture(mode, h, w):
    if mode in ("noise", "RGB"):
        return Image.fromarray(noise(h, w, 3))
    if mode == "smooth":
        return Image.fromarray(smooth(h, w))
    if mode == "L":
        return Image.fromarray(noise(h, w, 1)[:, :, 0])
    if mode == "1":
        return Image.fromarray(noise(h, w, 1)[:, :, 0] >= 128)
    if mode == "LA":
        return Image.fromarray(noise(h, w, 2))
    if mode == "P":
        im = Image.fromarray(noise(h, w, 1)[:, :, 0]).convert("L")
        i = np.arange(256, dtype=np.uint64)[:, None]
        im.putpalette(mix(i, i * np.uint64(3), np.arange(3, dtype=np.uint64)[None, :]).tobytes())
        return im
    return Image.frombytes(mode, (w, h), noise(h, w, len(mode)).tobytes())


def crc(im):
    return f"{zlib.crc32(im.tobytes()):08x}"


def first_pixels(im):
    return list(im.tobytes()[:12])


with open("resize_cases.json") as f:
    cases = json.load(f)
changed = 0
for o in cases["images"]:
    s, resized = o["size"], picture(o["gen"], o["h"], o["w"]).resize(o["resized"], Image.BICUBIC)
    changed += crc(resized) != o["resized_crc32"]
    o["resized_crc32"] = crc(resized)
    for rule in ("tv", "hf"):
        x, y = o[f"{rule}_crop"]
        crop = resized.crop((x, y, x + s, y + s))
        o[f"{rule}_crc32"] = crc(crop)
        if rule == "tv":
            o["first_px_of_tv_crop"] = first_pixels(crop)
for o in cases["modes"]:
    im, s = picture(o["mode"], o["h"], o["w"]), o["size"]
    w, h = o["w"], o["h"]
    size = (s, s * h // w) if w <= h else (s * w // h, s)
    left, top = round((size[0] - s) / 2), round((size[1] - s) / 2)
    box = (left, top, left + s, top + s)
    for key, made in (("resize_then_rgb", im.resize(size, Image.BICUBIC).crop(box).convert("RGB")),
                      ("rgb_then_resize", im.convert("RGB").resize(size, Image.BICUBIC).crop(box))):
        if o[f"{key}_crc32"] != crc(made):
            print("changed:", o["mode"], key)
        o[f"{key}_crc32"] = crc(made)
cases["meta"]["provenance"] = f"Computed with Pillow {PIL.__version__}, Image.BICUBIC, by make_resize.py"
with open("resize_cases.json", "w") as f:
    json.dump(cases, f, indent=0)
print(f"{changed} of {len(cases['images'])} resized pictures changed")

lines = open("resize_filters.h").read().splitlines()
out = [f"/* by Pillow {PIL.__version__}, filters in the order of its numbers */"]
for line in lines[1:]:
    w, h, ow, oh = map(int, re.match(r"\{(\d+), (\d+), (\d+), (\d+)", line).groups())
    crcs = ", ".join(f"0x{zlib.crc32(picture('noise', h, w).resize((ow, oh), f).tobytes()):08x}" for f in range(6))
    out.append(f"{{{w}, {h}, {ow}, {oh}, {{{crcs}}}}},")
open("resize_filters.h", "w").write("\n".join(out) + "\n")
