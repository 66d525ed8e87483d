#!/usr/bin/env python3
"""pictures_parity.py: random BMP, TGA, PSD, PNG and GIF files of every kind, read by read_image and by Pillow.

usage: AID=build/tests tests/parity/pictures_parity.py [-n FILES] [-s SEED] [FILE ...]

With -x, JPEG, PNG and WebP files that say in any way how they are turned.

Prints how many files of each kind both read to the same bytes, and each that differs.  Where Pillow refuses a file
and we do not (or the other way round), that is counted apart.  With FILE operands, these are compared instead.
Status 1 if one differs.  Needs Pillow 13.
"""
import argparse, collections, io, os, random, struct, subprocess, sys, tempfile, zlib

from PIL import Image, ImageOps

AID = os.environ.get("AID", "build/tests")
Image.MAX_IMAGE_PIXELS = None
u16, u32 = (lambda v: struct.pack("<H", v & 0xFFFF)), (lambda v: struct.pack("<I", v & 0xFFFFFFFF))


def noise(r, n):
    return bytes(r.randrange(256) for _ in range(n))


def masked(size, v):
    return v.to_bytes(4, "little") if size == 32 else v.to_bytes(2, "little")


def bmp_rle(r, w, h, four):
    out = bytearray()
    for y in range(h):
        x = 0
        while x < w:
            n = min(r.randrange(1, 12), w - x)
            k = r.random()
            if k < 0.5 or n < 3:
                out += bytes([n, r.randrange(256)])
            elif k < 0.6 and y + 1 < h and w - x > 3:    # a jump to the right
                out += bytes([0, 2, n, 0])
            else:
                out += bytes([0, n]) + noise(r, (n + 1) // 2 if four else n)
                if len(out) % 2:
                    out += b"\0"
            x += n
        if r.random() < 0.9 or y + 1 < h:
            out += b"\0\0"
    return bytes(out + b"\0\1")


def bmp(r):
    w, h = r.randrange(1, 40), r.randrange(1, 20)
    head = r.choice([12, 40, 40, 40, 52, 56, 64, 108, 124])
    bits = r.choice([1, 4, 8, 16, 24, 32])
    compression, masks, top = 0, b"", r.random() < 0.3 and head > 12
    if head > 12 and bits >= 16 and r.random() < 0.5:
        compression = 3
        masks = {16: [(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)], 24: [(0xFF0000, 0xFF00, 0xFF, 0)],
                 32: [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
                      (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                      (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0, 0, 0, 0)]}[bits]
        masks = b"".join(map(u32, r.choice(masks)))
    if head > 12 and bits in (4, 8) and r.random() < 0.5:
        compression = 2 if bits == 4 else 1
    colours = 0
    if bits <= 8 and head > 12 and r.random() < 0.6:
        colours = r.randrange(1, (1 << bits) + 1)
    entries = colours or (1 << bits if bits <= 8 else 0)
    each = 3 if head == 12 else 4
    # Pillow reads raw indices of 4 bits as bytes where the palette is a ramp of greys, and of 8 bits as single bits
    if r.random() < 0.2 and (bits == 1 or compression or (bits == 8 and entries > 2)):
        palette = b"".join(bytes([i] * 3)[:3] + b"\0" * (each - 3) for i in range(entries))
    else:
        palette = noise(r, entries * each)
    stride = (w * bits + 31) // 32 * 4
    at = 14 + head + (12 if head == 40 and masks else 0) + len(palette)
    gap = r.choice([0, 0, 2, 86])
    if compression in (1, 2):
        start = bytes(at + gap)
        pixels = bmp_rle(r, w, h, compression == 2)
        gap += (at + gap) % 2
    else:
        pixels = noise(r, stride * h)
    if head == 12:
        body = u16(w) + u16(h) + u16(1) + u16(bits)
    else:
        body = u32(w) + u32(-h if top else h) + u16(1) + u16(bits) + u32(compression) + u32(len(pixels))
        body += u32(2835) * 2 + u32(colours) + u32(0)
        if head > 40:
            body = (body + masks).ljust(head - 4, b"\0")[: head - 4]
    offset = at + gap if gap or r.random() < 0.8 else r.choice([0, 14 + head]) if bits <= 8 else at
    return (f"bmp{bits}/{head}/{compression}", b"BM" + u32(0) * 2 + u32(offset) + u32(head) + body +
            (masks[:12] if head == 40 else b"") + palette + bytes(gap) + pixels)


def tga(r):
    w, h = r.randrange(1, 40), r.randrange(1, 20)
    kind, depth = r.choice([(1, 8), (2, 16), (2, 24), (2, 32), (3, 8), (3, 16)])
    packed = r.random() < 0.5
    palette, first, entries, entry = b"", 0, 0, 0
    if kind == 1:
        entry, first, entries = r.choice([16, 24, 32]), r.choice([0, 0, 3]), r.randrange(1, 250)
        palette = noise(r, entries * entry // 8)
    note, size = noise(r, r.choice([0, 0, 9])), depth // 8
    if packed:
        data = bytearray()
        for y in range(h):
            x = 0
            while x < w:
                n = min(r.randrange(1, 12), w - x)
                if r.random() < 0.5:
                    data += bytes([127 + n]) + noise(r, size)
                else:
                    data += bytes([n - 1]) + noise(r, n * size)
                x += n
    else:
        data = noise(r, w * h * size)
    head = bytes([len(note), kind == 1, kind + 8 * packed]) + u16(first) + u16(entries) + bytes([entry]) + u16(0) * 2
    head += u16(w) + u16(h) + bytes([depth, r.choice([0, 0x10, 0x20, 0x30])])
    return f"tga{kind}/{depth}/{entry}{'p' if packed else ''}", head + note + palette + bytes(data)


def packbits(r, n):
    out, x = bytearray(), 0
    while x < n:
        k = min(r.randrange(1, 12), n - x)
        if r.random() < 0.5 and k > 1:
            out += bytes([257 - k, r.randrange(256)])
        else:
            out += bytes([k - 1]) + noise(r, k)
        x += k
    return bytes(out)


def psd(r):
    w, h = r.randrange(1, 40), r.randrange(1, 20)
    mode = r.choice([1, 2, 3, 4, 7, 8])
    used = {3: 3, 4: 4}.get(mode, 1)
    packed = r.random() < 0.5
    # Pillow counts the rows of packed channels by those that it reads: with one more, it begins too early
    channels = used + (r.choice([0, 1]) if packed and mode == 3 else 0 if packed else r.choice([0, 0, 1, 2]))
    table = noise(r, 768) if mode == 2 else b""
    be32, be16 = (lambda v: struct.pack(">I", v)), (lambda v: struct.pack(">H", v))
    head = b"8BPS" + be16(1) + bytes(6) + be16(channels) + be32(h) + be32(w) + be16(8) + be16(mode)
    head += be32(len(table)) + table + be32(0) + be32(0)
    if not packed:
        return f"psd{mode}/raw", head + be16(0) + noise(r, w * h * channels)
    rows = [packbits(r, w) for _ in range(h * channels)]
    return f"psd{mode}/packed", head + be16(1) + b"".join(be16(len(x)) for x in rows) + b"".join(rows)


def png(r):
    w, h = r.randrange(1, 40), r.randrange(1, 20)
    kind, depth = r.choice([(0, 1), (0, 2), (0, 4), (0, 8), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8),
                            (4, 16), (6, 8), (6, 16)])
    bpp = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind] * depth
    laced = r.random() < 0.3

    def rows(w, h):
        return b"".join(bytes([r.randrange(5)]) + noise(r, (w * bpp + 7) // 8) for _ in range(h)) if w and h else b""

    if laced:
        data = b"".join(rows((w - x + dx - 1) // dx if w > x else 0, (h - y + dy - 1) // dy if h > y else 0)
                        for x, y, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                                             (1, 0, 2, 2), (0, 1, 1, 2)])
    else:
        data = rows(w, h)

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, laced))
    if kind == 3:
        out += chunk(b"PLTE", noise(r, 3 * r.randrange(1, (1 << depth) + 1)))
    if r.random() < 0.3 and kind in (0, 2, 3):
        out += chunk(b"tRNS", noise(r, {0: 2, 2: 6, 3: 1}[kind]) if kind == 3 else bytes({0: 2, 2: 6}[kind]))
    out += chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return f"png{kind}/{depth}{'i' if laced else ''}", out


def tiff(r):
    """An orientation of any type, count and byte order."""
    e, kind, v = r.choice("<>"), r.choice([1, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 0, 99]), r.choice([1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 300])
    form = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 16: "Q"}.get(kind, "I")
    times, count = r.choice([1, 2]), r.choice([1, 1, 1, 2, 3])
    data = struct.pack(e + form, *((v * times, times) if len(form) == 2 else (min(v, 100) if form in "bB" else v,))) * count
    place = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(e + "I", 26)
    return ((b"II*\0" if e == "<" else b"MM\0*") + struct.pack(e + "IHHHI", 8, 1, r.choice([0x112] * 8 + [0x110]), kind, count) +
            place + bytes(4) + (data if len(data) > 4 else b""))


def turned(r):
    """A picture that says in EXIF, in XMP, or in both how it is turned."""
    exif = tiff(r) if r.random() < 0.75 else None
    n = r.choice(b"0123456789")
    xmp = r.choice([b'<a tiff:Orientation="%c"/>' % n, b"<tiff:Orientation>%c<" % n, b"tiff:Orientation='%c'" % n]) if r.random() < 0.5 else None
    kind = r.choice(["jpg", "png", "webp"])
    im, out = Image.frombytes("RGB", (13, 9), noise(r, 13 * 9 * 3)), io.BytesIO()
    if kind == "webp":
        im.save(out, "WEBP", **({"exif": exif} if exif else {}), **({"xmp": xmp} if xmp else {}))
        return "turned webp", out.getvalue()
    im.save(out, {"jpg": "JPEG", "png": "PNG"}[kind])
    data, parts = out.getvalue(), []
    if kind == "jpg":
        parts += [b"Exif\0\0" + exif] if exif else []
        parts += [b"http://ns.adobe.com/xap/1.0/\0" + xmp] if xmp else []
        parts = [b"\xff\xe1" + struct.pack(">H", len(s) + 2) + s for s in parts]
        at = 2
    else:
        raw = b"\nexif\n%8d\n" % (len(exif) + 6) + (b"Exif\0\0" + exif).hex().encode() + b"\n" if exif else b""
        parts += [r.choice([(b"eXIf", exif), (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
                            (b"tEXt", b"Raw profile type exif\0" + raw)])] if exif else []
        parts += [r.choice([(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp), (b"tEXt", b"XML:com.adobe.xmp\0" + xmp),
                            (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp))])] if xmp else []
        parts = [struct.pack(">I", len(b)) + t + b + struct.pack(">I", zlib.crc32(t + b)) for t, b in parts]
        at = r.choice([33, len(data) - 12])    # before or behind the pixels
    r.shuffle(parts)
    return f"turned {kind}", data[:at] + b"".join(parts) + data[at:]


def pillow(path, turn):
    try:
        with Image.open(path) as im:
            im.load()
            if turn:
                im = ImageOps.exif_transpose(im)
            rgb = im.convert("RGB")
            return f"{rgb.width}x{rgb.height} {zlib.crc32(rgb.tobytes()):08x}"
    except Exception as e:
        return f"error: {type(e).__name__}: {e}"


def ours(paths, turn):
    out = subprocess.run([f"{AID}/read_image", *(["-x"] if turn else []), *paths], capture_output=True, text=True).stdout
    return [line if line.startswith("error") else " ".join(line.split()[1:3]) for line in out.splitlines()]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-n", type=int, default=2000)
    p.add_argument("-s", type=int, default=1)
    p.add_argument("-x", action="store_true", help="turned by EXIF")
    p.add_argument("files", nargs="*")
    a = p.parse_args()
    r = random.Random(a.s)
    count = collections.defaultdict(collections.Counter)
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        names = [(os.path.basename(f), f) for f in a.files]
        for i in range(0 if a.files else a.n):
            kind, data = r.choice([turned] if a.x else [bmp, tga, psd, png])(r)
            names.append((kind, os.path.join(folder, f"{i}.{kind[:3]}")))
            open(names[-1][1], "wb").write(data)
        got = ours([f for _, f in names], a.x)
        for (kind, f), mine in zip(names, got, strict=True):
            theirs = pillow(f, a.x)
            if mine.startswith("error") and theirs.startswith("error"):
                count[kind]["both refuse"] += 1
            elif mine.startswith("error") or theirs.startswith("error"):
                count[kind]["one refuses"] += 1
                print(f"{kind}: {mine}; Pillow: {theirs}; {f}")
            elif mine == theirs:
                count[kind]["same"] += 1
            else:
                count[kind]["DIFFER"] += 1
                status = 1
                print(f"{kind}: {mine}; Pillow: {theirs}; {f}")
    for kind in sorted(count):
        print(kind, dict(count[kind]))
    return status


if __name__ == "__main__":
    sys.exit(main())
