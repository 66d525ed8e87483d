#!/usr/bin/env python3
"""make_photos.py DIR [-n COUNT] [--size WxH]... [-q QUALITY] [-s SEED]: JPEG files that cost what photos cost.

The photos show noise whose amplitude falls with frequency as that of photographs does (1/f, the law of natural
images, and a lens that blurs the finest detail), a few hard edges, the colours weaker than the brightness, and a sensor's
grain.  They are saved as by cameras, with 4:2:0 chroma.  12 megapixels at quality 88 give four and a half megabytes, as on a phone.  The same arguments give the
same files.  Needs numpy and Pillow.
"""
import argparse
import pathlib

import numpy as np
from PIL import Image


def field(r, h, w):
    """Noise with a 1/f spectrum, mean 0, deviation 1: f32 [h, w]."""
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    f = np.hypot(fy * h, fx * w).astype(np.float32)
    f[0, 0] = 1
    lens = np.exp(-8 * (fy * fy + fx * fx)).astype(np.float32)
    z = (r.standard_normal(f.shape, np.float32) + 1j * r.standard_normal(f.shape, np.float32)) * lens / f
    z[0, 0] = 0
    x = np.fft.irfft2(z, (h, w)).astype(np.float32)
    return x / x.std()


def photo(r, w, h):
    light, red, blue = field(r, h, w), field(r, h, w), field(r, h, w)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    for _ in range(12):    # things with outlines
        a = r.uniform(0, 2 * np.pi)
        d = np.cos(a) * (x / w - r.uniform()) + np.sin(a) * (y / w - r.uniform(0, h / w))
        light += np.where(d > 0, r.normal() * 0.25, 0).astype(np.float32)
    luma = 118 + 48 * light + r.standard_normal((h, w), np.float32) * 0.7
    rgb = np.stack([luma + 18 * red, luma - 9 * red - 6 * blue, luma + 18 * blue], -1)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def comment(jpeg, i):
    text = b"%06d" % i
    return jpeg[:2] + b"\xff\xfe\0" + bytes([len(text) + 2]) + text + jpeg[2:]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("dir", type=pathlib.Path)
    p.add_argument("-n", type=int, default=16, help="files of each size")
    p.add_argument("--size", action="append", help="WxH, may be given again (default 4000x3000)")
    p.add_argument("-q", type=int, default=88)
    p.add_argument("-s", type=int, default=0)
    a = p.parse_args()
    a.dir.mkdir(parents=True, exist_ok=True)
    for size in a.size or ["4000x3000"]:
        w, h = map(int, size.split("x"))
        # Six scenes and their mirror images, then the same files again with a comment: making noise is slow, decoders take
        # the same time for them, and rclip skips files with the same bytes.
        for i in range(a.n):
            name = a.dir / f"{size}-{i:03}.jpg"
            if i >= 24:
                name.write_bytes(comment((a.dir / f"{size}-{i % 24:03}.jpg").read_bytes(), i))
                continue
            if i % 4 == 0:
                im = photo(np.random.default_rng([a.s, w, h, i]), w, h)
            turn = im if i % 2 == 0 else im.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            turn = turn if i % 4 < 2 else turn.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            turn.save(name, quality=a.q, subsampling="4:2:0")


if __name__ == "__main__":
    main()
