#!/usr/bin/env python3
"""hostile_weights.py: models whose files are valid but for one or some places, through the programs that open them.

usage: tests/stress/hostile_weights.py BIN SECONDS [SEED]      (programs with ASan and UBSan; BIN/../tests has the aids)

The models are tiny: a Karlo as a diffusers pipeline and as the original .ckpt files, GLIDE's networks, CLIPs of every layout, the
DALL-E 1 family, heads of probe.  Until the time is over, a copy of one gets one to three changes: in a header of safetensors
(shapes, types, offsets, names, lengths), in the pickle of a PyTorch file, in the numbers (NaN, infinities, huge values), in a config or
vocabulary (numbers, types, keys, nesting), or anywhere (cuts, noise).  The programs run on it, samplers with all their steps where they
get that far.  Each must end by itself within 60 s of processor time with a status of 0 to 3, within 1.5 GB, without a finding of a sanitizer, and
write records whose numbers are finite.  What breaks this is kept in BIN/../hostile-model-N.  Only Python's library is used.
"""
import atexit, json, os, random, re, shutil, struct, subprocess, sys, tempfile, time, warnings, zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile
import torch_save

hostile.LIMIT_MB = 1500
warnings.simplefilter("ignore")    # two parts of one name are meant
NUMBERS = [0, 1, -1, 2, 3, 7, 63, 64, 65, 255, 1024, 65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1, -(1 << 63)]
FLOATS = [0.0, -0.0, 1e-45, 1e-300, 1e38, 1e308, -1e308, 0.5, 1e-6]


def any_json(r, deep=0):
    return r.choice([lambda: r.choice(NUMBERS), lambda: r.choice(FLOATS), lambda: r.choice(["", "x", "gelu", "quick_gelu", "F32", "../../etc/passwd", "a" * 5000]),
                     lambda: None, lambda: True, lambda: [any_json(r, deep + 1) for _ in range(r.randrange(4))] if deep < 3 else [],
                     lambda: {"k%d" % i: any_json(r, deep + 1) for i in range(r.randrange(3))} if deep < 3 else {}])()


def places(v, out):
    for k in v if isinstance(v, dict) else range(len(v)):
        out.append((v, k))
        if isinstance(v[k], (dict, list)):
            places(v[k], out)
    return out


def harm_json(r, v):
    at = places(v, [])
    if not at:
        return
    where, key = r.choice(at)
    old, how = where[key], r.randrange(6)
    if how == 0 and isinstance(where, dict):
        del where[key]
    elif how == 1 and isinstance(where, dict):
        where[r.choice(["x", "dtype", "shape", "data_offsets", "__metadata__", key + "x", key.upper()])] = old
    elif how == 2 and isinstance(where, list):
        where.insert(r.randrange(len(where) + 1), r.choice(where))
    elif isinstance(old, int) and not isinstance(old, bool) and r.random() < 0.7:
        where[key] = r.choice([old + 1, old - 1, old * 2, old // 2, -old, r.choice(NUMBERS)])
    elif isinstance(old, str) and r.random() < 0.5:
        where[key] = r.choice(["F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "", old[:-1], old + "x", old * 50])
    else:
        where[key] = any_json(r)


def harm_safetensors(r, b):
    n = struct.unpack("<Q", b[:8])[0]
    head, data, how = json.loads(b[8:8 + n]), b[8 + n:], r.randrange(8)
    names = [k for k in head if k != "__metadata__"]
    t = head[r.choice(names)]
    if how == 0:
        t["shape"] = r.choice([t["shape"][::-1], t["shape"][:-1], t["shape"] + [1], [r.choice(NUMBERS)], [r.choice(NUMBERS) for _ in range(9)]])
    elif how == 1:
        t["data_offsets"] = [r.choice([0, o, o + 4, o - 4, r.choice(NUMBERS)]) for o in t["data_offsets"]]
    elif how == 2:
        a, c = r.choice(names), r.choice(names)
        head[a], head[c] = head[c], head[a]
    elif how == 3:                                            # numbers
        a, z = t["data_offsets"]
        return b[:8 + n + a] + numbers(r, data[a:z], 2 if t["dtype"] in ("F16", "BF16") else 4) + data[z:]
    elif how == 4:
        return struct.pack("<Q", r.choice([0, 1, n - 1, n + 1, n + 8, len(b), 1 << 40, (1 << 64) - 1])) + b[8:]
    else:
        harm_json(r, head)
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def numbers(r, data, size):
    """Some or all numbers become what a network does not expect."""
    bad = r.choice([b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xff", b"\xff\xff\x7f\x7f", b"\0\0\0\0", os.urandom(4)])[4 - size:]
    if r.random() < 0.3:
        return bad * (len(data) // size) + data[len(data) // size * size:]
    at = r.randrange(max(len(data) // size, 1)) * size
    return data[:at] + bad + data[at + size:] if len(data) >= size else data


def harm_zip(r, file):
    """A PyTorch archive: another pickle or other numbers in it, or noise in its directory."""
    try:
        with zipfile.ZipFile(file) as z:
            parts = [(i.filename, z.read(i)) for i in z.infolist()]
    except Exception:
        return harm_bytes(r, open(file, "rb").read())
    if r.random() < 0.2:
        return harm_bytes(r, open(file, "rb").read())
    i = r.randrange(len(parts)) if r.random() < 0.5 else next((k for k, p in enumerate(parts) if p[0].endswith("data.pkl")), 0)
    name, data = parts[i]
    if name.endswith(".pkl"):
        data = harm_pickle(r, data)
    else:
        how = r.randrange(5)
        data = numbers(r, data, r.choice([2, 4])) if how < 3 else data[: r.randrange(len(data) + 1)] if how == 3 else data + bytes(64)
    if r.random() < 0.05:
        name = r.choice(["x", name + "0", "archive/data/999", "../../x"])
    parts[i] = (name, data)
    if r.random() < 0.05:
        parts.append(r.choice(parts))
    with zipfile.ZipFile(file, "w", r.choice([zipfile.ZIP_STORED] * 9 + [zipfile.ZIP_DEFLATED])) as z:
        for name, data in parts:
            z.writestr(name, data)
    return None


def harm_pickle(r, b):
    b, how = bytearray(b), r.randrange(5)
    if how == 0:                                              # a name in it
        found = list(re.finditer(rb"[a-z_]{4,}", b))
        m = r.choice(found)
        b[m.start():m.end()] = r.choice([b[m.start():m.end()][::-1], bytearray(b"x" * (m.end() - m.start()))])
    elif how == 1:                                            # an integer: K (1 byte), M (2), J (4)
        found = [i for i in range(len(b) - 5) if b[i:i + 1] in (b"K", b"M", b"J")]
        i = r.choice(found)
        size = {75: 1, 77: 2, 74: 4}[b[i]]
        b[i + 1:i + 1 + size] = r.choice(NUMBERS).to_bytes(16, "little", signed=True)[:size]
    elif how == 2:                                            # an opcode
        b[r.randrange(len(b))] = r.choice(b"(.0123FIJKLMNPQRSTUVX\x80\x85\x86\x87\x88\x89\x8a\x8b\x93\x94\x95abcdeghijlopqrstu}])")
    elif how == 3:
        at = r.randrange(len(b))
        b[at:at] = b[at:at + r.randrange(200)]
    else:
        del b[r.randrange(len(b)):]
    return bytes(b)


def harm_bytes(r, b):
    b, how = bytearray(b), r.randrange(6)
    at = r.randrange(len(b) + 1)
    if how == 0:
        del b[at:]
    elif how == 1:
        b[at:at + 16] = os.urandom(16)
    elif how == 2 and b:
        for _ in range(r.choice([1, 1, 4, 30])):
            b[r.randrange(len(b))] ^= 1 << r.randrange(8)
    elif how == 3:
        del b[at:at + r.randrange(100)]
    elif how == 4:
        b[at:at] = b[at:at + r.randrange(1, 300)]
    else:
        b[:] = r.choice([b"", b"{}", b"[]", b"null", b"PK\3\4", b"\x80\2}q\0.", bytes(100), b"{" * 100000])
    return bytes(b)


def harm(r, file):
    b = open(file, "rb").read()
    if r.random() < 0.15:
        b = harm_bytes(r, b)
    elif file.endswith((".json", ".vocab")):
        try:
            v = json.loads(b)
            harm_json(r, v) if isinstance(v, (dict, list)) else None
            b = json.dumps(v).encode()
        except ValueError:
            b = harm_bytes(r, b)
    elif b[8:9] == b"{":
        try:
            b = harm_safetensors(r, b)
        except (ValueError, KeyError, TypeError, IndexError):
            b = harm_bytes(r, b)
    elif b[:2] == b"PK":
        b = harm_zip(r, file)
    elif b[:1] == b"\x80":
        b = harm_pickle(r, b)
    else:
        b = harm_bytes(r, b)
    if b is not None:
        open(file, "wb").write(b)


def finite(out):
    """All numbers of the f32 tensors in records."""
    def look(v):
        if isinstance(v, hostile.Map):
            d = dict(v) if all(isinstance(k, (str, bytes)) for k, _ in v) else {}
            if d.get(b"type") in (b"<f4", "<f4") and isinstance(d.get(b"data"), bytes):
                return all(x & 0x7f800000 != 0x7f800000 for x in struct.unpack("<%dI" % (len(d[b"data"]) // 4), d[b"data"]))
            return all(look(x) for _, x in v)
        if isinstance(v, list):
            return all(look(x) for x in v)
        return not isinstance(v, float) or v - v == 0
    return all(look(rec) for rec in hostile.records(out))


def main():
    bin, seconds, seed = os.path.abspath(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    top = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    demo, gold, aid = os.path.join(top, "examples", "emoji", "demo"), os.path.join(top, "tests", "golden"), os.path.join(os.path.dirname(bin), "tests")
    tokenizer = os.path.join(top, "examples", "emoji", "tokenizer")
    fish = os.path.join(demo, "fish.png")
    r = random.Random(seed)
    work = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, work, True)
    os.chdir(work)

    def aided(*command):
        subprocess.run([os.path.join(aid, command[0]), *command[1:]], stdout=subprocess.DEVNULL, check=True)

    def made(cmd, data=b""):
        status, out, err = hostile.run(bin, cmd, data, limit=900)
        if status != 0:
            sys.exit("hostile_weights.py: %s: status %s\n%s" % (" ".join(cmd), status, err.decode(errors="replace")))
        return out

    os.mkdir("good")
    os.chdir("good")
    aided("make_karlo", "-t", "-e", "64", "pipe")
    aided("make_model", "-l", "split", "tiny", "pipe")
    torch_save.karlo("original")
    os.mkdir("glide")
    aided("make_glide", "-t", "glide")
    shutil.copy(os.path.join(gold, "glide", "vocab.bpe"), "glide")
    aided("make_model", "-l", "split", "tiny", "original")
    for layout in ("hf", "openclip", "openai", "torch"):
        aided("make_model", "-l", layout, "micro", layout)
    aided("make_model", "-l", "openai", "micro-rn", "resnet")
    for d in ("pipe", "original"):
        shutil.copytree(tokenizer, os.path.join(d, "tokenizer"))
    os.mkdir("pickles")
    for f in ("micro_legacy.pt", "micro_bf16.pt", "micro_hf_strided_views.bin", "micro_parameters.pt"):
        shutil.copy(os.path.join(gold, "clip", f), "pickles")
    for d in ("mindalle", "rudalle", "dallemini"):
        shutil.copytree(os.path.join(gold, "dalle", d), d)
    shutil.copytree(os.path.join(gold, "dalle", "dvae"), "dvae")
    for d in ("vq", "gumbel", "gumbel_dwt"):
        shutil.copytree(os.path.join(gold, "dalle", "vqgan", d), d)
    os.mkdir("heads")
    for f in os.listdir(os.path.join(gold, "probe")):
        if f.startswith("head_"):
            shutil.copy(os.path.join(gold, "probe", f), "heads")
    os.chdir(work)
    p = ["-m", "good/pipe"]
    tok = made(["clip-tok"] + p + ["a red apple"])
    text = made(["clip-embed"] + p, tok)
    image = made(["clip-embed", "--keep-image=16"] + p + [fish])
    prior = made(["prior"] + p, text)
    small = made(["decode64"] + p, prior)
    labelled = made(["rank", "--labels", os.path.join(demo, "labels.txt")] + p, image)
    made(["probe", "--train", "-o", "good/heads/p.safetensors"], made(["rank", "--labels", os.path.join(demo, "labels.txt")],
                                                                     made(["clip-embed"] + [os.path.join(demo, f) for f in os.listdir(demo) if f.endswith(".png")])))
    box = made(["clip-embed", fish])
    codes = made(["vq", "--side", "32", "-m", "good/vq", fish])
    open("text.clip", "wb").write(text)

    def files(d, *ends):
        return [f for f in sorted(os.listdir(os.path.join("good", d))) if f.endswith(ends)]

    # what is run on a model: (command, its input)
    pipe = [("prior -m M", text), ("decode64 -m M", prior), ("decode64 --no-text -m M", image), ("upsample -m M", small), ("ddim-invert --steps 5 -m M", image),
            ("clip-embed -m M", tok), ("clip-embed -m M " + fish, b""), ("clip-tok -m M apple", b""), ("clip-embed -m M --info", b"")]
    corgi = made(["clip-tok", "-m", "good/glide", "the red cat"])
    corgi_small = made(["decode64", "-m", "good/glide", "--steps", "3"], corgi)
    uses = {"pipe": pipe + [("clip-draw --iterations 2 --strokes 8 --cutouts 1 -m M", text)], "original": pipe}
    uses["glide"] = [("decode64 --steps 5 -m M", corgi), ("upsample --steps 3 -m M", corgi_small), ("clip-tok -m M cat", b""), ("decode64 --steps 3 --erase 1,1,9,9 -m M", corgi_small)]
    for d in ("hf", "openclip", "openai", "torch", "resnet"):
        uses[d] = [("clip-embed -m M %s" % fish, b""), ("clip-embed -m M --info", b""), ("clip-embed -m M", made(["clip-tok", "--context", "8", "-m", "good/pipe", "a"]))]
    uses["pickles"] = [("clip-embed -m M/%s --activation quick_gelu %s" % (f, fish), b"") for f in files("pickles", "")]
    for d in ("mindalle", "rudalle", "dallemini"):
        uses[d] = [("dalle -m M", tok), ("dalle -n 2 -m M", tok), ("clip-tok -m M apple", b""), ("vq -d -m M", codes)]
    for d in ("vq", "gumbel", "gumbel_dwt"):
        uses[d] = [("vq --side 32 -m M " + fish, b""), ("vq -d --force -m M", codes)]
    uses["dvae"] = [("vq --side 32 -m M " + fish, b""), ("vq -d --force -m M", codes)]
    uses["heads"] = [("probe M/%s --force" % f, box) for f in files("heads", "")] + [("probe --head M/%s" % f, box) for f in files("heads", "")]

    end, runs, bad, results, count = time.time() + seconds, 0, 0, 0, {}
    while time.time() < end:
        d = r.choice(sorted(uses))
        shutil.rmtree("M", True)
        shutil.copytree(os.path.join("good", d), "M")
        every = [os.path.join(a, f) for a, _, fs in os.walk("M") for f in fs]
        for _ in range(r.choice([1, 1, 1, 2, 3])):
            harm(r, r.choice(every))
        for cmd, data in r.sample(uses[d], min(len(uses[d]), 3)):
            status, out, err = hostile.run(bin, cmd.split(), data)
            runs += 1
            count[d] = count.get(d, 0) + 1
            results += out.count(hostile.START)
            wrong = status not in (0, 1, 2, 3) or b"runtime error" in err or b"Sanitizer" in err
            if not wrong and out.startswith(hostile.START) and not finite(out):
                wrong, err = True, b"a number in its records is not finite"
            if not wrong and status == 2 and not err:
                wrong, err = True, b"status 2 without a message"
            if wrong:
                name = os.path.join(os.path.dirname(bin), "hostile-model-%d" % bad)
                shutil.rmtree(name, True)
                shutil.copytree("M", name)
                print("hostile_weights.py: %s: status %s, kept as %s\n%s" % (cmd, status, name, err.decode(errors="replace")[-3000:]), flush=True)
                bad += 1
    print("hostile models: seed %d, %d runs, %d found, %d records in spite of it; %s" % (seed, runs, bad, results, ", ".join("%s %d" % x for x in sorted(count.items()))))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
