#!/usr/bin/env python3
"""mutate_pictures.py: broken and hostile picture files of every format, for pictures.sh

usage: mutate_pictures.py DIR N [SEED [FORMAT ...]]

Writes N files to DIR, named NUMBER.FORMAT.  They begin as the pictures of tests/golden/images.
Each is changed at one to eight places, or says a size that is not its own (with right checksums), or is a HEIF file
whose items, sizes and parameter sets say what they like.
"""
import os, random, struct, sys, zlib

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
sys.path.insert(0, GOLDEN)
import heif

FORMATS = ["jpg", "png", "gif", "webp", "heic", "avif", "bmp", "tga", "psd", "pnm", "tif"]
SIDES = [0, 1, 2, 3, 255, 256, 1000, 4096, 13000, 16383, 32767, 32768, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]


def format_of(data):
    head = data[:16]
    for name, good in (("jpg", head[:3] == b"\xff\xd8\xff"), ("png", head[:4] == b"\x89PNG"), ("gif", head[:3] == b"GIF"),
                       ("webp", head[8:12] == b"WEBP"), ("avif", head[4:12] == b"ftypavif"), ("heic", head[4:8] == b"ftyp"),
                       ("tif", head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")), ("bmp", head[:2] == b"BM"), ("psd", head[:4] == b"8BPS"),
                       ("pnm", head[:1] == b"P" and head[1:2] in b"123456")):
        if good:
            return name
    return "tga"


def seeds():
    found = {f: [] for f in FORMATS}
    for folder in (f"{GOLDEN}/images", f"{GOLDEN}/images/forged"):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                data = open(path, "rb").read()
                found[format_of(data)].append(data)
    return found


def mend_png(b):
    at = 8
    while at + 12 <= len(b):
        n = int.from_bytes(b[at:at + 4], "big")
        if n > len(b) - at - 12:
            return
        b[at + 8 + n:at + 12 + n] = struct.pack(">I", zlib.crc32(b[at + 4:at + 8 + n]))
        at += 12 + n


def put(b, at, v, size, order):
    if 0 <= at and at + size <= len(b):
        b[at:at + size] = (v % (1 << 8 * size)).to_bytes(size, order)


def forge_tiff(b, w, h):
    """The tags ImageWidth and ImageLength of the first directory, in TIFF and BigTIFF."""
    order, big = "little" if b[:1] == b"I" else "big", b[2:4] in (b"+\0", b"\0+")
    at = int.from_bytes(b[8:16] if big else b[4:8], order)
    count, step = (8, 20) if big else (2, 12)
    for i in range(min(100, int.from_bytes(b[at:at + count], order))):
        entry = at + count + i * step
        tag, kind = (int.from_bytes(b[entry + k:entry + k + 2], order) for k in (0, 2))
        if tag in (0x100, 0x101):
            put(b, entry + (12 if big else 8), w if tag == 0x100 else h, 2 if kind == 3 else 4, order)


def forge_size(r, kind, b):
    """Other sides in the header."""
    w, h = r.choice(SIDES), r.choice(SIDES)
    if kind == "jpg":
        at = 2
        while at + 9 < len(b) and b[at] == 0xFF and b[at + 1] not in (0xC0, 0xC1, 0xC2):
            at += 2 + int.from_bytes(b[at + 2:at + 4], "big")
        put(b, at + 5, h, 2, "big"), put(b, at + 7, w, 2, "big")
    elif kind == "png":
        put(b, 16, w, 4, "big"), put(b, 20, h, 4, "big")
    elif kind == "gif":
        put(b, 6, w, 2, "little"), put(b, 8, h, 2, "little")
        at = b.find(b",", 13)
        if r.random() < 0.5:
            put(b, at + 5, w, 2, "little"), put(b, at + 7, h, 2, "little")
    elif kind == "webp":
        if b[12:16] == b"VP8X":
            put(b, 24, w, 3, "little"), put(b, 27, h, 3, "little")
        elif b[12:16] == b"VP8L":
            put(b, 21, w & 0x3FFF | (h & 0x3FFF) << 14, 4, "little")
        else:
            put(b, 26, w, 2, "little"), put(b, 28, h, 2, "little")
    elif kind in ("heic", "avif"):
        at = b.find(b"ispe")
        put(b, at + 8, w, 4, "big"), put(b, at + 12, h, 4, "big")
    elif kind == "bmp":
        put(b, 18, w, 4, "little"), put(b, 22, r.choice([h, -h]), 4, "little")
    elif kind == "tga":
        put(b, 12, w, 2, "little"), put(b, 14, h, 2, "little")
    elif kind == "tif":
        forge_tiff(b, w, h)
    elif kind == "psd":
        put(b, 14, h, 4, "big"), put(b, 18, w, 4, "big")
    else:
        b[2:2] = f" {w} {h} ".encode()


def change(r, b):
    for _ in range(r.choice([1, 1, 1, 2, 3, 8])):
        if not b:
            return
        at, k = int(len(b) * r.random() ** 2), r.random()
        if k < 0.35:
            b[at] = r.randrange(256)
        elif k < 0.6:
            b[at] ^= 1 << r.randrange(8)
        elif k < 0.68:
            del b[at:at + r.randrange(1, 9)]
        elif k < 0.76:
            b[at:at] = bytes(r.randrange(256) for _ in range(r.randrange(1, 9)))
        elif k < 0.84:
            b[at:at + 2] = r.choice([b"\xff\xff", b"\0\0", b"\x7f\xff", b"\x80\0"])
        elif k < 0.9:
            put(b, at, r.choice(SIDES), 4, r.choice(["big", "little"]))
        elif k < 0.95:
            b[at:at] = b[at:at + r.randrange(1, 200)]
        else:
            del b[at:]


def hostile_heif(r, coded):
    """A file of items that are made of each other in any way; coded: (configuration, data) of HEVC and AV1."""
    n, items = r.randrange(1, 7), []

    def size(w, h):
        """Mostly the right one."""
        if r.random() < 0.85:
            return w, h
        return (r.choice([w, *SIDES]), r.choice([h, *SIDES])) if r.random() < 0.8 else None

    for i in range(1, n + 1):
        k = r.random()
        rows, cols = r.choice([(1, 1), (1, 2), (2, 2), (2, 3), (10, 30)])
        refs = tuple(n if r.random() < 0.7 else r.randrange(1, n + 2) for _ in range(rows * cols))
        aux = (r.randrange(1, n + 1),) if i > 1 and r.random() < 0.2 else ()
        w, h = (64 * cols - 3, 64 * rows - 30) if r.random() < 0.8 else (r.choice(SIDES) & 65535, r.choice(SIDES) & 65535)
        more = [heif.box(b"clap", *(heif.b32(r.choice([1, 2, 64, 32, 65535, 65536, -1])) for _ in range(8)))] * (r.random() < 0.05)
        more += [heif.box(b"irot", bytes([r.randrange(4)]))] * (r.random() < 0.1)
        more += [heif.box(b"imir", bytes([r.randrange(2)]))] * (r.random() < 0.2)
        if k < 0.5 or i == n:
            config, data = r.choice(coded)
            hevc = config[0] == b"hvcC"
            if hevc and r.random() < 0.2:
                config = heif.config_of_size(config, r.randrange(1, 3) * r.choice([8, 64, 4096, 8192]), r.choice([8, 64, 4096]))
            if r.random() < 0.2:
                data = bytearray(data)
                change(r, data)
                data = bytes(data)
            items.append(heif.item(b"hvc1" if hevc else b"av01", data, size(*((64, 64) if hevc else (13, 9))), config, (), aux, None, more))
        elif k < 0.7:
            items.append(heif.item(b"grid", heif.grid(rows, cols, w, h), size(w, h), None, refs, aux, None, more))
        elif k < 0.85:
            body = bytes(10) + heif.b16(w) + heif.b16(h)
            body += b"".join(heif.b16(r.choice([0, 10, 40000])) for _ in range(2 * len(refs)))
            items.append(heif.item(b"iovl", body, size(w, h), None, refs, aux, None, more))
        else:
            items.append(heif.item(r.choice([b"iden", b"iden", b"Exif"]), b"", size(64, 64), None, refs[:1], aux, None, more))
    return bytearray(heif.build(items, r.randrange(1, n + 1)))


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    r = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    os.makedirs(folder, exist_ok=True)
    kinds = sys.argv[4:] or FORMATS
    found = seeds()
    coded = [heif.parts(d) for name in ("one.heic", "rgb.avif") for d in [open(f"{GOLDEN}/images/{name}", "rb").read()]]
    for i in range(count):
        kind = kinds[i % len(kinds)]
        if kind in ("heic", "avif") and r.random() < 0.6:
            b = hostile_heif(r, coded)
            if r.random() < 0.2:
                change(r, b)
        else:
            b = bytearray(r.choice(found[kind]))
            if r.random() < 0.4:
                forge_size(r, kind, b)
            if r.random() < 0.7:
                change(r, b)
        if kind == "png" and r.random() < 0.8:
            mend_png(b)
        open(os.path.join(folder, f"{i:06d}.{kind}"), "wb").write(b)


main()
