#!/usr/bin/env python3
"""curve.py LOSS.tsv OUT.png: the run's losses over the steps, as a small picture."""
import sys

from PIL import Image, ImageDraw

rows = [line.split("\t") for line in open(sys.argv[1]).read().split("\n")[1:] if line]
steps = [int(r[0]) for r in rows]
lines = {"contrast": (3, "#2f74d0"), "proto_image": (4, "#d9262e"), "proto_text": (5, "#3f9b46")}
w, h, pad = 480, 270, 28
im = Image.new("RGB", (w, h), "white")
d = ImageDraw.Draw(im)
x = [pad + (w - 2 * pad) * s / steps[-1] for s in steps]
for v in range(9):
    y = h - pad - (h - 2 * pad) * v / 8
    d.line((pad, y, w - pad, y), fill="#ddd")
    d.text((8, y - 6), str(v), fill="#555")
for k, (name, (column, colour)) in enumerate(lines.items()):
    y = [h - pad - (h - 2 * pad) * min(8, float(r[column])) / 8 for r in rows]
    d.line(list(zip(x, y)), fill=colour, width=2)
    d.text((w - 130, pad + 14 * k), name, fill=colour)
d.text((pad, h - 18), f"steps, to {steps[-1]}", fill="#555")
im.save(sys.argv[2], optimize=True)
