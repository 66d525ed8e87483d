"""Does libunclip give what the programs give, bit for bit?  tests/cli/lib.bats runs it.

    lib_equals.py WHAT ARGUMENT...

Each function below compares one part of the library, through examples/unclip_lib.py, with the programs in PATH.
"""
import array
import ctypes
import json
import os
import subprocess
import sys

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "examples"))
import unclip_lib
from unclip_lib import Error, Model


def run(*args, stdin=b""):
    return subprocess.run(args, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def records(stream):
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=2**31 - 1)
    unpacker.feed(stream)
    return list(unpacker)


def field(record, name):
    """The bytes of a tensor."""
    v = record["data"][name]
    return v.get(b"data", v.get("data"))


def same(got, want, what):
    if bytes(got) != bytes(want):
        sys.exit(f"{what}: {len(bytes(got))} bytes from the library differ from {len(bytes(want))} bytes of the programs")


def refused(f, *args, why):
    try:
        f(*args)
    except Error as e:
        if why not in str(e):
            sys.exit(f"it says: {e}")
    else:
        sys.exit(f"not refused: {why}")


TEXTS = ["a red heart", "", "Crème brûlée &amp; 東京 🦈", "it's 4 o'clock", " two  spaces "]


def tokens(model):
    m = Model(model)
    for t in TEXTS:
        ids = run("clip-tok", "-m", model, "--ids", "--", t).decode().split()
        if ids != [str(i) for i in m.tokens(t)]:
            sys.exit(f"tokens of {t!r}")
    m.close()


def texts(model, context):
    with Model(model) as m:
        got = m.embed_texts(TEXTS)
        want = b"".join(field(r, "text_embed") for r in records(run("clip-embed", "-m", model, stdin=run("clip-tok", "-m", model, "--", *TEXTS))))
        same(got, want, "texts")
        same(m.embed_texts(TEXTS * 8), want * 8, "40 texts")
    with Model(model, kernel="c", threads=1) as m:
        want = b"".join(field(r, "text_embed")
                        for r in records(run("clip-embed", "--kernel=c", "-m", model, stdin=run("clip-tok", "-m", model, "--", *TEXTS))))
        same(m.embed_texts(TEXTS), want, "texts with kernel c")
        if m.size(unclip_lib.CONTEXT) != int(context):    # clip-tok cuts at the tokenizer's limit, the library at the tower's
            return
        long = "word " * 60
        refused(m.embed_texts, [long], why="tokens, the model takes")
        m.set("truncate", "yes")
        cut = records(run("clip-embed", "--kernel=c", "-m", model, stdin=run("clip-tok", "-q", "-m", model, long)))[0]
        same(m.embed_texts([long]), field(cut, "text_embed"), "a text that is cut")


def pictures(model, *files):
    want = records(run("clip-embed", "-m", model, "--keep-image", *files))
    vectors = b"".join(field(r, "image_embed") for r in want)
    with Model(model) as m:
        same(m.embed_files(files), vectors, "files")
        more = 40 // len(files)    # more than a batch
        same(m.embed_files(files * more), vectors * more, "files, several times")
        same(m.embed_bytes([open(f, "rb").read() for f in files]), vectors, "bytes")
        side = want[0]["data"]["image"]["shape" if "shape" in want[0]["data"]["image"] else b"shape"][0]
        crops = run("clip-embed", "-m", model, stdin=b"".join(
            msgpack.packb({"unclip": 1, "id": str(i), "data": {"image": r["data"]["image"]}}) for i, r in enumerate(want)))
        same(m.embed_rgb(len(files), side, side, bytearray(b"".join(field(r, "image") for r in want))),
             b"".join(field(r, "image_embed") for r in records(crops)), "rgb")
        if m.get("image-model") != want[0]["data"]["model"]["image_embed"]:
            sys.exit("fingerprint")


def turned(model, file):
    with Model(model, exif="yes") as m:
        same(m.embed_files([file]), field(records(run("clip-embed", "-m", model, "--exif", file))[0], "image_embed"), "exif")
        same(m.embed_bytes([open(file, "rb").read()]), m.embed_files([file]), "exif of bytes")


def labels(model, names, *files):
    labels = open(names).read().split("\n")[:-1]
    for templates in (None, "none", "templates"):
        more = ["--templates", templates] if templates else []
        ranked = records(run("rank", "-m", model, "--labels", names, "-k", str(len(labels)), *more, stdin=run("clip-embed", "-m", model, *files)))
        with Model(model) as m:
            m.set("templates", templates)
            words, seen = m.embed_labels(labels), m.embed_files(files)
            prob = m.classify(seen, words)
            width = m.size(unclip_lib.EMBED)
            for i, r in enumerate(ranked):
                d = r["data"]
                if [prob[i][labels.index(n)] for n in d["label"]] != d["prob"]:
                    sys.exit(f"prob of {files[i]}, templates {templates}")
                row = (ctypes.c_float * width).from_buffer(seen, 4 * i * width)
                cos = m.cosines(row, words)
                # rank takes the labels' vectors for vectors of length one, which they are up to the rounding of f32
                if max(abs(cos[labels.index(n)] - c) for n, c in zip(d["label"], d["cos"])) > 1e-7:
                    sys.exit(f"cos of {files[i]}")
    best = records(run("rank", "-m", model, "--text", "a red heart", "-k", str(len(files)), stdin=run("clip-embed", "-m", model, *files)))
    with Model(model) as m:
        cos = m.cosines(m.embed_texts(["a red heart"]), m.embed_files(files))
        if [r["data"]["cos"] for r in best] != sorted(cos, reverse=True):
            sys.exit("cosines of rank --text")


def drawing(model, precision, steps, guidance, eta, seed):
    """Two candidates, each drawn and enlarged."""
    base = ["-m", model, "-s", seed, "--precision", precision]
    text = run("clip-embed", "-m", model, stdin=run("clip-tok", "-m", model, "a red heart"))
    drawn = run("prior", *base, "-n", "2", "--steps", steps, "-g", guidance, stdin=text)
    small = run("decode64", *base, "--steps", steps, "-g", guidance, *(["--eta", eta] if eta else []), stdin=drawn)
    large = run("upsample", *base, "--steps", steps, stdin=small)
    v = {name: b"".join(field(r, f) for r in records(s)) for name, f, s in
         (("prior", "image_embed", drawn), ("small", "image", small), ("large", "image", large))}
    with Model(model, seed=seed, draw_precision=precision, prior_steps=steps, decode_steps=steps, upsample_steps=steps,
               prior_guidance=guidance, decode_guidance=guidance) as m:
        m.set("decode-eta", eta or None)
        embed = m.prior("a red heart", 2)
        same(embed, v["prior"], "prior")
        x = m.decode("a red heart", embed)
        same(x, v["small"], "decode")
        same(m.upsample("a red heart", x, 2), v["large"], "upsample")
        # the second one alone
        m.set("sample", 1)
        half = len(embed) // 2
        same(m.prior("a red heart"), v["prior"][4 * half:], "the second candidate")
        same(m.decode("a red heart", (ctypes.c_float * half).from_buffer(embed, 4 * half)), v["small"][len(v["small"]) // 2:], "the second picture")
        same(m.get("decoder-model").encode(), records(small)[0]["data"]["model"]["image"].encode(), "fingerprint")


def variations(model, file):
    """More pictures of one embedding than are drawn at a time, without a text; and of a text without an embedding."""
    seen = run("clip-embed", "-m", model, file)
    want = b"".join(field(r, "image") for r in records(run("decode64", "-m", model, "--steps", "2", "-n", "11", stdin=seen)))
    with Model(model, decode_steps=2, noise_id=file) as m:
        v = m.embed_files([file])
        same(m.decode(None, (ctypes.c_float * (11 * len(v)))(*(list(v) * 11))), want, "variations")
        m.set("noise-id", None)
        text = run("clip-embed", "-m", model, stdin=run("clip-tok", "-m", model, "a fish"))
        want = field(records(run("decode64", "-q", "-m", model, "--steps", "2", stdin=text))[0], "image")
        same(m.decode("a fish"), want, "a text alone")


def codes(model, *box):
    """The autoregressive prior."""
    paths = [a for p in (model, *box) for a in ("-m", p)]
    text = run("clip-embed", *paths, stdin=run("clip-tok", *paths, "a red heart"))
    for g in ("1", "2"):
        want = b"".join(field(r, "image_embed") for r in records(run("prior", *paths, "-n", "3", "-g", g, stdin=text)))
        with Model(model, *box, prior_guidance=g) as m:
            same(m.prior("a red heart", 3), want, f"the autoregressive prior, guidance {g}")


def glide(model, steps=""):
    """`steps` of the upsampler; its default is a list of 27 timesteps."""
    for text in ("a red heart", ""):
        small = run("decode64", "-m", model, "--steps", "3", stdin=msgpack.packb({"unclip": 1, "id": "x", "data": {"text": text}}))
        large = run("upsample", "-m", model, *(["--steps", steps] if steps else []), stdin=small) if text else b""
        with Model(model, decode_steps=3, noise_id="x") as m:
            m.set("upsample-steps", steps or None)
            x = m.decode(text)
            same(x, field(records(small)[0], "image"), f"GLIDE draws {text!r}")
            if text:
                same(m.upsample(text, x), field(records(large)[0], "image"), f"GLIDE enlarges {text!r}")


def streams(*files):
    """Records of any program are read, told as JSON, and written again."""
    with Model() as m:
        for file in files:
            data = open(file, "rb").read()
            want = run("record-json", "--arrays", file).decode().split("\n")[:-1]
            got = [(r.bytes(), r.json(), r.id) for r in m.records(file)]
            same(b"".join(b for b, _, _ in got), data, file)
            for (_, j, id), w in zip(got, want):
                if json.loads(j) != json.loads(w) or j != w or id != json.loads(w)["id"]:
                    sys.exit(f"{file}: JSON of {id}")
            for r, w in zip(m.records(file), records(data)):
                for name, v in w["data"].items():
                    if isinstance(v, dict) and v.get(b"type", v.get("type")) == "<f4":
                        same(r.floats(name), field(w, name), f"{file}: {name}")
                    elif isinstance(v, str) and r.text(name) != v:
                        sys.exit(f"{file}: {name}")
                    elif json.loads(r.json(name)) != v and isinstance(v, (int, float, str)):
                        sys.exit(f"{file}: JSON of {name}")


def write(file, model, *pictures):
    """A stream that rank and record-json take."""
    with Model(model) as m, open(file, "wb") as f:
        v = m.embed_files(pictures)
        width = len(v) // len(pictures)
        for i, p in enumerate(pictures):
            r = m.record(p)
            r.set_floats("image_embed", array.array("f", v[i * width:(i + 1) * width]), model=m.get("image-model"))
            r.set_text("text", "a picture")
            r.set_number("cos", 0.5)
            f.write(r.bytes())
            r.free()


def comma(model):
    import locale
    locale.setlocale(locale.LC_NUMERIC, "comma.UTF-8")
    if locale.localeconv()["decimal_point"] != ",":
        sys.exit("not a locale with a comma")
    with Model(model) as m:
        m.set("decode-eta", 0.25)
        r = m.record("x")
        r.set_number("cos", 0.125)
        r.set_number("big", 1e300)
        r.set_floats("v", array.array("f", [-1.5, 3, 1e-30]))
        same(r.json().encode(), b'{"unclip":1,"id":"x","data":{"cos":0.125,"big":1e+300,"v":[-1.5,3.0,1e-30]}}', "JSON")
        r.free()
        if m.get("logit-scale").count(".") != 1:
            sys.exit(m.get("logit-scale"))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
