"""heif.py: HEIF files taken apart and put together, for make_pictures.py and tests/stress/pictures.sh

parts(file) gives the configuration box and the coded data of the primary item of a file of one picture; build() writes
a file of items, where each says what it likes.
"""
import struct

b16, b32 = (lambda v: struct.pack(">H", v)), (lambda v: struct.pack(">I", v & 0xFFFFFFFF))


def box(kind, *body):
    body = b"".join(body)
    return b32(len(body) + 8) + kind + body


def full(kind, version, flags, *body):
    return box(kind, b32(version << 24 | flags), *body)


def boxes(data):
    at = 0
    while at + 8 <= len(data):
        size = struct.unpack(">I", data[at:at + 4])[0] or len(data) - at
        yield data[at + 4:at + 8], data[at + 8:at + size]
        at += size


def find(data, *path):
    for kind in path:
        data = next(body for k, body in boxes(data) if k == kind)
    return data


def parts(data):
    meta = find(data, b"meta")[4:]
    ipco = find(meta, b"iprp", b"ipco")
    config = next((kind, body) for kind, body in boxes(ipco) if kind in (b"hvcC", b"av1C"))
    iloc = find(meta, b"iloc")
    sizes = struct.unpack(">H", iloc[4:6])[0]
    at = 8 + 2 + (2 if iloc[0] >= 1 else 0) + 2    # where the first item's base offset is

    def number(shift):
        nonlocal at
        n = sizes >> shift & 15
        at += n
        return int.from_bytes(iloc[at - n:at], "big")

    base = number(4)
    at += 2
    offset, length = number(12), number(8)
    return config, data[base + offset:base + offset + length]


def item(kind, data, size=None, config=None, made_of=(), aux_of=(), at=None, more=()):
    """at: (offset, length) instead of data, to point anywhere; more: further properties, as boxes."""
    return dict(kind=kind, data=data, size=size, config=config, made_of=made_of, aux_of=aux_of, at=at, more=more)


def build(items, primary=1, brand=b"heic"):
    """Items get the numbers from 1 on; items with equal data share it."""
    infe = [full(b"infe", 2, 0, b16(i), b16(0), it["kind"], b"\0") for i, it in enumerate(items, 1)]
    props, owners = [], []
    for i, it in enumerate(items, 1):
        mine = []
        for p in ([full(b"ispe", 0, 0, b32(it["size"][0]), b32(it["size"][1]))] if it["size"] else []) + (
                [box(*it["config"])] if it["config"] else []) + (
                [full(b"auxC", 0, 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")] if it["aux_of"] else []) + list(it["more"]):
            if p not in props:
                props.append(p)
            mine.append(props.index(p) + 1)
        owners.append(b16(i) + bytes([len(mine)]) + bytes(0x80 | m for m in mine))
    refs = [box(b"dimg", b16(i), b16(len(it["made_of"])), *map(b16, it["made_of"]))
            for i, it in enumerate(items, 1) if it["made_of"]]
    refs += [box(b"auxl", b16(i), b16(len(it["aux_of"])), *map(b16, it["aux_of"]))
             for i, it in enumerate(items, 1) if it["aux_of"]]

    def meta(start):
        places, at, known, rest = [], start, {}, b""
        for i, it in enumerate(items, 1):
            if it["at"] is None and it["data"] not in known:
                known[it["data"]] = (at, len(it["data"]))
                at += len(it["data"])
                rest += it["data"]
            offset, length = it["at"] or known[it["data"]]
            places.append(b16(i) + b16(0) + b16(1) + b32(offset) + b32(length))
        return full(b"meta", 0, 0, full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)), full(b"pitm", 0, 0, b16(primary)),
                    full(b"iloc", 0, 0, b16(0x4400), b16(len(items)), *places),
                    full(b"iinf", 0, 0, b16(len(items)), *infe),
                    box(b"iprp", box(b"ipco", *props), full(b"ipma", 0, 0, b32(len(items)), *owners)),
                    *([full(b"iref", 0, 0, *refs)] if refs else [])), rest

    head = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    size = len(head) + len(meta(0)[0]) + 8
    body, rest = meta(size)
    return head + body + box(b"mdat", rest)


def grid(rows, cols, w, h):
    return bytes([0, 0, rows - 1, cols - 1]) + b16(w) + b16(h)


# ---- HEVC's parameter sets ----

def bits_of(data):
    return "".join(f"{b:08b}" for b in data)


def unescape(nal):
    out, zeros = bytearray(), 0
    for b in nal:
        if zeros >= 2 and b == 3:
            zeros = 0
            continue
        out.append(b)
        zeros = zeros + 1 if b == 0 else 0
    return bytes(out)


def escape(rbsp):
    out, zeros = bytearray(), 0
    for b in rbsp:
        if zeros >= 2 and b <= 3:
            out.append(3)
            zeros = 0
        out.append(b)
        zeros = zeros + 1 if b == 0 else 0
    return bytes(out)


def golomb(v):
    return f"{v + 1:b}".rjust(2 * (v + 1).bit_length() - 1, "0")


def skip_golomb(bits, at):
    zeros = bits.index("1", at) - at
    return at + 2 * zeros + 1


def sps_of_size(nal, w, h):
    """A sequence parameter set of one layer that says another size."""
    bits = bits_of(unescape(nal))
    at = 16 + 8 + 96    # the NAL's head, ids, the profile
    at = skip_golomb(bits, at)
    at = skip_golomb(bits, at)    # the chroma format, 4:2:0
    end = skip_golomb(bits, skip_golomb(bits, at))
    bits = bits[:at] + golomb(w) + golomb(h) + bits[end:].rstrip("0")
    bits += "0" * (-len(bits) % 8)
    return escape(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def config_of_size(config, w, h):
    kind, body = config
    out, at = body[:23], 23
    for _ in range(body[22]):
        count = struct.unpack(">H", body[at + 1:at + 3])[0]
        nal_type, out, at = body[at] & 63, out + body[at:at + 3], at + 3
        for _ in range(count):
            n = struct.unpack(">H", body[at:at + 2])[0]
            nal = body[at + 2:at + 2 + n]
            nal = sps_of_size(nal, w, h) if nal_type == 33 else nal
            out, at = out + b16(len(nal)) + nal, at + 2 + n
    return kind, out
