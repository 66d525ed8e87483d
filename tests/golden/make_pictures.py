#!/usr/bin/env python3
"""make_pictures.py: the pictures of tests/golden/images that no common program writes: BMPs of all headers and
packings, short palettes, TGA corners, PSD colour modes, and the ways to say how a picture is turned.

usage: tests/golden/make_pictures.py [DIR]      (tests/golden/images; turned.jpg and the like are read from there)

The bytes are the same each time.  tests/unit/image_read.c has the CRC-32 of what Pillow 13.0.0 makes of each.
"""
import os, struct, sys, zlib

DIR = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "images")
W, H = 13, 9
u16, u32 = (lambda v: struct.pack("<H", v & 0xFFFF)), (lambda v: struct.pack("<I", v & 0xFFFFFFFF))
b16, b32 = (lambda v: struct.pack(">H", v)), (lambda v: struct.pack(">I", v))


def value(i):
    return (i * 2654435761 >> 7) % 256


def bytes_of(n, start=0):
    return bytes(value(start + i) for i in range(n))


def save(name, *parts):
    with open(os.path.join(DIR, name), "wb") as f:
        f.write(b"".join(parts))


# ---- BMP ----

def bmp(name, bits, pixels, head=40, compression=0, masks=b"", palette=b"", colours=0, top=False, gap=0):
    body = u32(W) + u32(-H if top else H) + u16(1) + u16(bits) + u32(compression) + u32(len(pixels)) + bytes(8)
    body += u32(colours) + u32(0)
    if head > 40:
        body = (body + masks).ljust(head - 4, b"\0")
        masks = b""
    at = 14 + head + len(masks) + len(palette) + gap
    save(name, b"BM", u32(at + len(pixels)), u32(0), u32(at), u32(head), body, masks, palette, bytes(gap), pixels)


def rows(bits):
    return bytes_of((W * bits + 31) // 32 * 4 * H)


def masks(*m):
    return b"".join(map(u32, m))


def runs(four):
    """Encoded runs, literals, a jump, the end of a row before its pixels end."""
    out = bytearray()
    for y in range(H):
        if y == 3:
            out += bytes([0, 2, 5, 0, 4, 0x21])
        elif y % 2:
            n = 7
            out += bytes([0, n]) + bytes_of((n + 1) // 2 if four else n, y)
            out += bytes(len(out) % 2) + bytes([6, 0x53])
        else:
            out += bytes([9, 0x17 + y, 4, 0x32])
        out += bytes([0, 0])
    return bytes(out) + bytes([0, 1])


PALETTE = b"".join(bytes([value(3 * i), value(3 * i + 1), value(3 * i + 2), 0]) for i in range(256))
bmp("topdown.bmp", 24, rows(24), top=True)
bmp("gap.bmp", 24, rows(24), gap=86)
bmp("v3.bmp", 32, rows(32), head=56, compression=3, masks=masks(0xFF0000, 0xFF00, 0xFF, 0xFF000000))
bmp("v5.bmp", 32, rows(32), head=124, compression=3, masks=masks(0xFF, 0xFF00, 0xFF0000, 0xFF000000))
bmp("555.bmp", 16, rows(16))
bmp("565.bmp", 16, rows(16), compression=3, masks=masks(0xF800, 0x7E0, 0x1F))
bmp("rle8.bmp", 8, runs(False), compression=1, palette=PALETTE)
bmp("rle4.bmp", 4, runs(True), compression=2, palette=PALETTE[:64])
bmp("short.bmp", 8, rows(8), palette=PALETTE[:400], colours=100)
bmp("one.bmp", 1, rows(1), palette=PALETTE[:8])
bmp("four.bmp", 4, rows(4), palette=PALETTE[:36], colours=9)
save("os2.bmp", b"BM", bytes(8), u32(26 + 48), u32(12), u16(W), u16(H), u16(1), u16(4),
     b"".join(PALETTE[4 * i:4 * i + 3] for i in range(16)), rows(4))

# ---- TGA ----

def tga(name, kind, depth, flags, pixels, palette=b"", first=0, entries=0, entry=0):
    save(name, bytes([0, kind & 7 == 1, kind]), u16(first), u16(entries), bytes([entry]), bytes(4), u16(W), u16(H),
         bytes([depth, flags]), palette, pixels)


tga("short.tga", 1, 8, 0, bytes_of(W * H), palette=PALETTE[:300], first=20, entries=100, entry=24)
tga("right.tga", 2, 24, 0x10, bytes_of(W * H * 3))
tga("555.tga", 2, 16, 0x20, bytes_of(W * H * 2))
tga("rle32.tga", 10, 32, 0x30, b"".join(bytes([0x80 | W - 1]) + bytes_of(4, y) if y % 2 else
                                         bytes([W - 1]) + bytes_of(W * 4, y) for y in range(H)))

# ---- PSD ----

def psd(name, mode, channels, table=b"", packed=False):
    head = b"8BPS" + b16(1) + bytes(6) + b16(channels) + b32(H) + b32(W) + b16(8) + b16(mode)
    head += b32(len(table)) + table + bytes(8)
    if not packed:
        save(name, head, b16(0), bytes_of(W * H * channels))
        return
    lines = [bytes([257 - 5, value(y), 128, W - 6]) + bytes_of(W - 5, y) for y in range(H * channels)]
    save(name, head, b16(1), b"".join(b16(len(x)) for x in lines), *lines)


psd("gray.psd", 1, 1)
psd("indexed.psd", 2, 1, table=bytes_of(768, 5))
psd("cmyk.psd", 4, 4, packed=True)
psd("duotone.psd", 8, 1, table=bytes_of(4), packed=True)

# ---- PNG ----

def chunk(name, body):
    return b32(len(body)) + name + body + b32(zlib.crc32(name + body))


def png(name, kind, depth, data, *more, laced=0):
    save(name, b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", b32(W) + b32(H) + bytes([depth, kind, 0, 0, laced])), *more,
         chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b""))


def lines(w, h, bits):
    n = (w * bits + 7) // 8
    return b"".join(bytes([y % 5]) + bytes_of(n, y) for y in range(h))


def passes(bits):
    return b"".join(lines((W - x + dx - 1) // dx, (H - y + dy - 1) // dy, bits) for x, y, dx, dy in
                    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)])


def tiff(kind, value, big=False):
    e = ">" if big else "<"
    return (b"MM\0*" if big else b"II*\0") + struct.pack(e + "IHHHI", 8, 1, 0x112, kind, 1) + struct.pack(
        e + ("I" if kind == 4 else "Hxx"), value) + bytes(4)


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="8"/></x:xmpmeta>'
raw = b"\nexif\n%8d\n" % (len(tiff(3, 6)) + 6) + (b"Exif\0\0" + tiff(3, 6)).hex().encode() + b"\n"
png("short.png", 3, 8, lines(W, H, 8), chunk(b"PLTE", PALETTE[:300]))
png("short2.png", 3, 2, lines(W, H, 2), chunk(b"PLTE", PALETTE[:9]))
png("laced.png", 2, 16, passes(48), laced=1)
png("laced4.png", 0, 4, passes(4), laced=1)
png("raw.png", 2, 8, lines(W, H, 24), chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)))
png("xmp.png", 2, 8, lines(W, H, 24), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))

# ---- JPEG and WebP with other words about how they are turned ----

jpeg = open(os.path.join(DIR, "444.jpg"), "rb").read()


def app1(body):
    return b"\xff\xe1" + b16(len(body) + 2) + body


def turned(name, *segments):
    save(name, jpeg[:2], *map(app1, segments), jpeg[2:])


XAP = b"http://ns.adobe.com/xap/1.0/\0" + XMP
turned("long.jpg", b"Exif\0\0" + tiff(4, 5, big=True))
turned("xmp.jpg", XAP)
turned("both.jpg", XAP, b"Exif\0\0" + tiff(3, 2))

# ---- TIFF ----

def tiff_file(name, photo, bits, strips, samples=1, order="<", big=False, planes=1, tile=None, size=(W, H), more=()):
    """strips: the bytes of the strips or tiles, in order; more: tags as (number, type 3 or 4, values)."""
    p = lambda t, *v: struct.pack(order + t * len(v), *v)
    kind = {3: "H", 4: "I", 16: "Q"}
    wide, word = (8, "Q") if big else (4, "I")
    base = 16 if big else 8
    offsets = [base + sum(map(len, strips[:i])) for i in range(len(strips))]
    tags = [(256, 3, [size[0]]), (257, 3, [size[1]]), (258, 3, [bits] * samples), (262, 3, [photo]), (277, 3, [samples]),
            (284, 3, [planes]), *more]
    if tile:
        tags += [(322, 3, [tile[0]]), (323, 3, [tile[1]]), (324, 4, offsets), (325, 4, [len(s) for s in strips])]
    else:
        tags += [(273, 4, offsets), (278, 3, [-(-size[1] // (len(strips) // (samples if planes == 2 else 1)))]),
                 (279, 4, [len(s) for s in strips])]
    data = b"".join(strips)
    data += bytes(len(data) % 2)
    at = base + len(data)
    entries, tail = b"", b""
    end = at + (8 if big else 2) + len(tags) * (20 if big else 12) + wide
    for number, type, v in sorted(tags):
        value = p(kind[type], *v)
        if len(value) > wide:
            tail += value + bytes(len(value) % 2)
            value = p(word, end + len(tail) - len(value) - len(value) % 2)
        entries += p("H", number, type) + p(word, len(v)) + value.ljust(wide, b"\0")
    head = (b"II" if order == "<" else b"MM") + (p("H", 43, 8, 0) + p("Q", at) if big else p("H", 42) + p("I", at))
    save(name, head, data, p("Q" if big else "H", len(tags)), entries, bytes(wide), tail)


def tiff_files():
    pack = lambda b: zlib.compress(b, 9)
    colours = [b for b in range(48)]
    jpeg = open(os.path.join(DIR, "422.jpg"), "rb").read()
    tiff_file("rgb.tif", 2, 8, [pack(bytes_of(W * 3 * 5)), pack(bytes_of(W * 3 * 4, 500))], 3, more=[(259, 3, [8])])
    tiff_file("deep.tif", 2, 16, [bytes_of(W * H * 6)], 3, order=">")
    tiff_file("gray16.tif", 1, 16, [bytes_of(W * H * 2)])
    tiff_file("premultiplied.tif", 2, 8, [bytes_of(W * H * 4)], 4, more=[(338, 3, [1])])
    tiff_file("palette.tif", 3, 4, [bytes_of(7 * H)], more=[(320, 3, [value(c) * 257 for c in colours])])
    tiff_file("bit.tif", 0, 1, [bytes_of(2 * H)], more=[(266, 3, [2])])
    tiff_file("four.tif", 1, 4, [bytes_of(7 * H)])
    tiff_file("cmyk.tif", 5, 8, [pack(bytes_of(256, 300 * i)) for i in range(4)], 4, planes=2, tile=(16, 16), more=[(259, 3, [8])])
    tiff_file("tiles.tif", 2, 8, [pack(bytes_of(16 * 16 * 3, 900 * i)) for i in range(4)], 3, tile=(16, 16), size=(19, 21),
              more=[(259, 3, [8])])
    tiff_file("jpeg.tif", 6, 8, [jpeg], 3, more=[(259, 3, [7]), (530, 3, [2, 1])])
    tiff_file("turned.tif", 2, 8, [bytes_of(W * H * 3)], 3, more=[(274, 3, [6])])
    tiff_file("big.tif", 2, 8, [bytes_of(W * H * 3)], 3, big=True)


tiff_files()

# ---- HEIF: one.heic (64 x 64, made by libheif with x265) put together in other ways, and files that say one size
# and hold another.  forged/size.avif, 6000 x 6000 pixels behind a header of 10 x 10, was made by libheif with aom. ----

def heif_files():
    from heif import b16, b32, box, build, config_of_size, grid, item, parts
    config, data = parts(open(os.path.join(DIR, "one.heic"), "rb").read())

    def one(size=(64, 64), **more):
        return item(b"hvc1", data, size, config, **more)

    overlay = bytes(10) + b16(64) + b16(64) + bytes(8)
    save("grid.heic", build([item(b"grid", grid(2, 3, 190, 100), (190, 100), None, (2, 3, 4, 5, 6, 7))] + [one()] * 6))
    save("alpha.heic", build([one(), one(aux_of=(1,))]))
    save("forged/size.heic", build([item(b"hvc1", data, (64, 64), config_of_size(config, 8192, 4096))]))
    save("forged/limit.heic", build([item(b"hvc1", data, None, config_of_size(config, 16384, 16384))]))
    save("forged/alpha.heic", build([one(), item(b"hvc1", data, (64, 64), config_of_size(config, 8192, 4096), (), (1,))]))
    save("forged/canvas.heic", build([item(b"grid", grid(1, 1, 30000, 30000), (64, 64), None, (2,)), one()]))
    save("forged/many.heic", build([item(b"grid", grid(1, 1, 64, 64), (64, 64), None, (2,) * 300), one()]))
    save("forged/self.heic", build([item(b"iden", b"", (64, 64), None, (1,))]))
    save("forged/loop.heic", build([item(b"iovl", overlay, (64, 64), None, (2,)), item(b"iden", b"", (64, 64), None, (1,))]))
    save("forged/part.heic", build([item(b"iden", b"", (64, 64), None, (2,)), item(b"Exif", b"12345678")]))
    save("forged/missing.heic", build([item(b"iden", b"", (64, 64), None, (9,)), one()]))
    save("forged/crop.heic", build([one(more=[box(b"clap", *map(b32, (64, 1, 64, 1, 65536, 1, 0, 1)))])]))
    save("forged/tiny.heic", build([one((1000, 1000))]))
    save("forged/deep.heic", build([item(b"iden", b"", (64, 64), None, (i + 2,)) for i in range(50)] + [one()]))


heif_files()
