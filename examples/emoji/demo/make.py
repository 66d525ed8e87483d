#!/usr/bin/env python3
"""make.py: the demo's pictures from our own drawings in svg/.  Needs rsvg-convert and Pillow.

*.png      128 x 128 on white, one per drawing
jpeg/*.jpg a few of them once more at odd sizes and on colours, for the JPEG path
"""
import io
import pathlib
import subprocess

from PIL import Image

here = pathlib.Path(__file__).parent
JPEG = [  # drawing, width, height, background, encoder options
    ("red-heart", 200, 150, (255, 255, 255), dict(quality=85)),
    ("star", 96, 140, (40, 60, 120), dict(quality=75, subsampling=0)),
    ("green-apple", 160, 160, (250, 240, 220), dict(quality=60, progressive=True)),
    ("fish", 333, 222, (255, 255, 255), dict(quality=90, subsampling=2)),
    ("umbrella", 101, 67, (200, 225, 245), dict(quality=80, optimize=True)),
    ("mushroom", 64, 64, (255, 255, 255), dict(quality=40)),
]


def draw(name, size):
    r = subprocess.run(["rsvg-convert", "-w", str(size), "-h", str(size), here / "svg" / (name + ".svg")], capture_output=True, check=True)
    return Image.open(io.BytesIO(r.stdout)).convert("RGBA")


def on(im, w, h, colour):
    page = Image.new("RGBA", (w, h), (*colour, 255))
    page.alpha_composite(im, ((w - im.width) // 2, (h - im.height) // 2))
    return page.convert("RGB")


for f in sorted((here / "svg").glob("*.svg")):
    on(draw(f.stem, 128), 128, 128, (255, 255, 255)).save(here / (f.stem + ".png"), optimize=True)
(here / "jpeg").mkdir(exist_ok=True)
for name, w, h, colour, options in JPEG:
    on(draw(name, min(w, h)), w, h, colour).save(here / "jpeg" / (name + ".jpg"), **options)
