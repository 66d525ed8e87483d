#!/usr/bin/env python3
"""hostile.py: records that are valid except in one or some places, through every program.

usage: tests/stress/hostile.py BIN SECONDS [SEED [RECORDS]]      (make fuzz runs it on programs with ASan and UBSan)

Good streams are made with a tiny Karlo and a tiny GLIDE (BIN/../tests/make_karlo, make_glide), on which prior, decode64,
upsample and ddim-invert sample with all their steps.  If SECONDS is at least 30, the model in the box makes some, too.

Until the time is over, or until RECORDS changed records were read, this is repeated.  A stream is made of some good records.
Most of them are changed where their structure is: a field's type, width, shape, dtype or claim of length; ids; params;
doubled, missing and too many fields; nesting; garbage and cuts between records.  A program reads the stream from a file or
a pipe.  It must end by itself, with a status of 0 to 3 and without a finding of a sanitizer, within 60 s of processor time
(600 s where it waits) and 3 GB.  A stream that breaks this is kept in BIN/../hostile-N.clip, and the status is 1.
Only Python's own library is used.
"""
import atexit, os, random, resource, shutil, struct, subprocess, sys, tempfile, time

START = b"\x83\xa6unclip\x01\xa2id"
LIMIT_S, LIMIT_MB = 60, 3000


class Raw(bytes):
    """Bytes that are written as they are."""


class Map(list):
    """Pairs in their order, doubled keys too."""


# ---- MessagePack ----

def read(b, at):
    """The value at b[at], and where the next one begins."""
    c = b[at]
    at += 1

    def take(n):
        nonlocal at
        at += n
        return b[at - n:at]

    def number(form):
        return struct.unpack(form, take(struct.calcsize(form)))[0]

    def several(n, make):
        nonlocal at
        out = make()
        for _ in range(n):
            if make is Map:
                k, at = read(b, at)
                v, at = read(b, at)
                out.append((k, v))
            else:
                v, at = read(b, at)
                out.append(v)
        return out

    if c < 0x80:
        v = c
    elif c < 0x90:
        v = several(c & 15, Map)
    elif c < 0xa0:
        v = several(c & 15, list)
    elif c < 0xc0:
        v = take(c & 31).decode("utf-8", "surrogateescape")
    elif c >= 0xe0:
        v = c - 256
    else:
        v = {0xc0: lambda: None, 0xc2: lambda: False, 0xc3: lambda: True,
             0xc4: lambda: bytes(take(number(">B"))), 0xc5: lambda: bytes(take(number(">H"))), 0xc6: lambda: bytes(take(number(">I"))),
             0xca: lambda: number(">f"), 0xcb: lambda: number(">d"), 0xcc: lambda: number(">B"), 0xcd: lambda: number(">H"),
             0xce: lambda: number(">I"), 0xcf: lambda: number(">Q"), 0xd0: lambda: number(">b"), 0xd1: lambda: number(">h"),
             0xd2: lambda: number(">i"), 0xd3: lambda: number(">q"),
             0xd9: lambda: take(number(">B")).decode("utf-8", "surrogateescape"),
             0xda: lambda: take(number(">H")).decode("utf-8", "surrogateescape"),
             0xdb: lambda: take(number(">I")).decode("utf-8", "surrogateescape"),
             0xdc: lambda: several(number(">H"), list), 0xdd: lambda: several(number(">I"), list),
             0xde: lambda: several(number(">H"), Map), 0xdf: lambda: several(number(">I"), Map)}[c]()
    return v, at


def sized(n, *forms):
    """The head for n things: the first of (most, code, form) that is large enough."""
    for most, code, form in forms:
        if n <= most:
            return struct.pack(">B" + form, *((code | n,) if not form else (code, n)))
    raise ValueError(n)


def write(v):
    if isinstance(v, Raw):
        return bytes(v)
    if v is None or v is False or v is True:
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[v]
    if isinstance(v, int):
        if 0 <= v < 128:
            return bytes([v])
        return struct.pack(">Bq", 0xd3, v) if v < 1 << 63 else struct.pack(">BQ", 0xcf, v)
    if isinstance(v, float):
        return struct.pack(">Bd", 0xcb, v)
    if isinstance(v, str):
        s = v.encode("utf-8", "surrogateescape")
        return sized(len(s), (31, 0xa0, ""), (255, 0xd9, "B"), (65535, 0xda, "H"), (2**32 - 1, 0xdb, "I")) + s
    if isinstance(v, bytes):
        return sized(len(v), (255, 0xc4, "B"), (65535, 0xc5, "H"), (2**32 - 1, 0xc6, "I")) + v
    if isinstance(v, Map):
        return sized(len(v), (15, 0x80, ""), (65535, 0xde, "H")) + b"".join(write(k) + write(x) for k, x in v)
    return sized(len(v), (15, 0x90, ""), (65535, 0xdc, "H")) + b"".join(map(write, v))


def records(b):
    at, out = 0, []
    while at < len(b):
        v, at = read(b, at)
        out.append(v)
    return out


# ---- harm ----

FIELDS = ["text_embed", "image_embed", "prior_embed", "text_states", "image", "mask", "source", "noise", "noise_id", "noise_sample", "path", "root", "sample", "text",
          "tokens", "truncated", "model", "params", "error", "cos", "logit", "prob", "label", "rank", "theta", "image_tokens", "grid", "logp",
          "pca_mean", "pca_vectors", "image_features", "step", "labels_key", "logit_scale", "svg", "score", "components", "mean"]
NUMBERS = [0, 1, -1, 2, 127, 128, 255, 256, 1023, 1024, 1025, 65535, 65536, 2**31 - 1, 2**31, -2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**64 - 1,
           -2**63, 0.0, -0.0, 1e-45, 1e38, 1e39, 1e308, float("nan"), float("inf"), -float("inf")]
TYPES = [b"<f4", b"<f2", b"|u1", b"<i4", b"<f8", b"<i8", b"|b1", b"<u2", b">f4", b"O", b"", b"<f44", b"\0", "<f4", b"<c8", 7]
CLAIMS = [b"\xdb\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdc\xff\xff", b"\xc1", b"\xc7\x05\x01abcde",
          b"\xd9\xff", b"\xcb\x7f\xf0\0\0\0\0\0\0", b"\xd9\x02\xff\xfe", b""]


def text(r):
    return r.choice(["", "x", "x" * r.choice([31, 32, 119, 121, 254, 256, 4095, 4097, 70000]), "a\0b", "a/b", "../../../etc/passwd", "/dev/zero",
                     "-", "%s%n%d", "\x1b[2J\x9b2J", "\udcff\udcfe", "e\u0301\u202e\U0001f600", "#", "a#0", ".", "line\nline", "fifo"])


def tensor(r):
    shape = [r.choice([0, 1, 2, 3, 16, 64, 255, 256, 257, 2**16, 2**31, 2**32, 2**62, -1, r.randrange(400)]) for _ in range(r.randrange(6))]
    data = bytes(r.randrange(256) for _ in range(r.choice([0, 1, 4, 64, 1024])))
    return Map([(b"nd", r.choice([True, False, 1, None])), (b"type", r.choice(TYPES)), (b"kind", r.choice([b"", b"O", b"V"])), (b"shape", shape), (b"data", data)])


def value(r, deep=0):
    """Anything."""
    return r.choice([
        lambda: r.choice(NUMBERS), lambda: text(r), lambda: text(r).encode("utf-8", "surrogateescape"), lambda: r.choice([None, True, False]),
        lambda: Raw(r.choice(CLAIMS)), lambda: tensor(r), lambda: Raw(b"\x91" * r.choice([8, 30, 33, 600]) + b"\xc0"),
        lambda: [value(r, deep + 1) for _ in range(r.randrange(4))] if deep < 3 else [],
        lambda: Map([(text(r), value(r, deep + 1)) for _ in range(r.randrange(4))]) if deep < 3 else Map(),
        lambda: [r.choice(["prior", "ddim-invert", "clip-embed", text(r)]), Map([(r.choice(["timesteps", "seed", "rng_used", "rng_rows", "text", "logit_scale"]), value(r, 3))])],
    ])()


def places(v, out):
    """(container, index) of every value inside."""
    for i, x in enumerate(v):
        y = x[1] if isinstance(v, Map) else x
        out.append((v, i))
        if isinstance(y, (list, Map)):
            places(y, out)
    return out


def put(where, new):
    v, i = where
    v[i] = (v[i][0], new) if isinstance(v, Map) else new


def get(where):
    v, i = where
    return v[i][1] if isinstance(v, Map) else v[i]


def harm(r, rec):
    """One change of a record."""
    data = dict(rec)["data"]
    how = r.randrange(12)
    if how <= 3 and data:                                     # a value somewhere
        where = r.choice(places(data, []))
        old = get(where)
        if isinstance(old, (bytes, str)) and r.random() < 0.5:    # longer, shorter
            put(where, old[: r.randrange(len(old) + 1)] if r.random() < 0.7 else old + old[:8])
        elif isinstance(old, bytes) and len(old) >= 8 and r.random() < 0.6:    # NaN, infinities, random bits
            at = r.randrange(len(old) - 3)
            put(where, old[:at] + r.choice([b"\0\0\xc0\x7f", b"\0\0\x80\x7f", os.urandom(4), b"\xff\x7f\xff\x7f"]) + old[at + 4:])
        elif isinstance(old, int) and r.random() < 0.7:
            put(where, r.choice([old + 1, old - 1, old * 2, -old, r.choice(NUMBERS)]))
        else:
            put(where, value(r))
    elif how == 4 and data:                                   # a whole field
        put((data, r.randrange(len(data))), value(r))
    elif how == 5:                                            # one more
        data.append((r.choice(FIELDS), value(r)))
    elif how == 6 and data:                                   # one less, or doubled
        data.insert(r.randrange(len(data)), r.choice(data)) if r.random() < 0.5 else data.pop(r.randrange(len(data)))
    elif how == 7 and data:                                   # under another name
        i = r.randrange(len(data))
        data[i] = (r.choice(FIELDS + [text(r)]), data[i][1])
    elif how == 8:                                            # as many as there may be, or one too many
        data.extend(("f%d" % i, i) for i in range(r.choice([1023, 1024, 1025]) - len(data)))
    elif how == 9:
        rec[1] = ("id", r.choice([text(r), text(r).encode("utf-8", "surrogateescape"), value(r)]))
    elif how == 10:
        data.append(("params", r.choice([Map(), "x", 7, [7], [["prior"]], [[7, Map()]], [["prior", 7]], [["x", Map()]] * 1024, value(r)])))
    else:
        data.extend([("root", value(r)), ("sample", r.choice([[0], [1023], [1024], [-1], [1, 2], [1, 2, 3], value(r)]))])


def stream(r, good, most):
    """A stream of up to `most` records, and how many of them are not as a program wrote them."""
    out, changed = b"", 0
    for _ in range(r.randrange(1, most + 1)):
        rec = records(whole := r.choice(good))[0]
        for _ in range(r.choice([0, 1, 1, 1, 2, 3])):
            harm(r, rec)
        one = write(rec)
        if r.random() < 0.1:
            one = one[: r.randrange(len(one))]
        if r.random() < 0.1:
            out += r.choice([b"garbage", START, START[:5], b"\x83\xa6unclip\x02", bytes(64), os.urandom(50)])
        out += one
        changed += one != whole
    return out, changed


# ---- programs ----

def run(bin, cmd, data=None, name=None, limit=None):
    env = dict({"UNCLIP_MODEL": "box"}, **os.environ)
    env = dict(env, UNCLIP_CACHE="none", ASAN_OPTIONS="hard_rss_limit_mb=%d:detect_leaks=0:abort_on_error=0:exitcode=99" % LIMIT_MB,
               UBSAN_OPTIONS="print_stacktrace=1:exitcode=99")
    try:
        p = subprocess.run([os.path.join(bin, cmd[0])] + cmd[1:] + ([name] if name else []), input=data, stdin=None if data is not None else subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=limit or 10 * LIMIT_S, check=False,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit or LIMIT_S,) * 2))
        return p.returncode, p.stdout, p.stderr
    except subprocess.TimeoutExpired as e:
        return "timeout", b"", e.stderr or b""


def main():
    bin, seconds, seed = os.path.abspath(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    enough = int(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    demo = os.path.join(top, "examples", "emoji", "demo")
    vq = ["-m", os.path.join(top, "tests", "golden", "dalle", "vqgan", "vq")]
    dalle = ["-m", os.path.join(top, "tests", "golden", "dalle", "mindalle")]
    keep = os.path.dirname(bin)
    aid = os.path.join(keep, "tests")
    r = random.Random(seed)
    work = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, work, True)
    os.chdir(work)
    os.mkfifo("fifo")

    def made(cmd, data=b""):
        status, out, err = run(bin, cmd, data, limit=900)
        if status != 0:
            sys.exit("hostile.py: %s: status %s\n%s" % (" ".join(cmd), status, err.decode(errors="replace")))
        return out

    tok = made(["clip-tok", "a red apple", "fish"])
    text_ = made(["clip-embed"], tok)
    image = made(["clip-embed", "--keep-image=64", os.path.join(demo, "fish.png"), os.path.join(demo, "star.png")])
    box = []    # with sanitizers these take a minute
    if seconds >= 30:
        prior = made(["prior", "--steps", "2"], text_)
        box = [prior, made(["decode64", "--steps", "2"], prior), made(["ddim-invert", "--steps", "2"], image),
               made(["decode64", "--steps", "2", "--erase", "9,9,30,30"], image),
               made(["decode64", "--steps", "2", "--source", os.path.join(demo, "house.png"), "--erase", "9,9,30,30"], image)]
    labelled = made(["rank", "--labels", os.path.join(demo, "labels.txt")], image)
    codes = made(["vq"] + vq, image)
    drawn = made(["dalle", "-n", "2"] + dalle, tok)
    # the tiny pipeline, whose samplers take all their steps in less than a second
    pipe = ["-m", os.path.join(work, "pipe")]
    for command in ([os.path.join(aid, "make_karlo"), "-t", "-e", "64", "pipe"], [os.path.join(aid, "make_model"), "-l", "split", "tiny", "pipe"]):
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    shutil.copytree(os.path.join(top, "examples", "emoji", "tokenizer"), "pipe/tokenizer")
    glide = ["-m", os.path.join(work, "glide")]
    os.mkdir("glide")
    subprocess.run([os.path.join(aid, "make_glide"), "-t", "glide"], stdout=subprocess.DEVNULL, check=True)
    shutil.copy(os.path.join(top, "tests", "golden", "glide", "vocab.bpe"), "glide")
    corgi = made(["clip-tok"] + glide + ["the red cat"])
    corgi_small = made(["decode64", "--steps", "3"] + glide, corgi)
    small_text = made(["clip-embed"] + pipe, tok)
    small_image = made(["clip-embed", "--keep-image=16"] + pipe + [os.path.join(demo, "fish.png")])
    drawn_small = made(["decode64", "--u8"] + pipe, made(["prior", "-n", "2"] + pipe, small_text))
    inverted = made(["ddim-invert", "--steps", "5"] + pipe, small_image)
    strokes = made(["clip-draw", "--size", "16", "--strokes", "3", "--iterations", "1"] + pipe, small_text)
    open("smalltext.clip", "wb").write(small_text)
    painted_small = made(["decode64", "--erase", "3,3,9,9"] + pipe, small_image)
    tiny = [write(x) for b in (small_text, small_image, drawn_small, inverted, painted_small, strokes, corgi, corgi_small) for x in records(b)]
    good = [write(x) for b in [tok, text_, image, labelled, codes, drawn] + box for x in records(b)]
    # A picture of 64 pixels, 12288 bytes, keeps a tiny sampler busy for half a minute, and a stream has four.
    tiny_too = tiny + [x for x in good if len(x) < 12288]
    open("good.clip", "wb").write(image)
    open("text.clip", "wb").write(text_)
    open("pca.clip", "wb").write(made(["embed-mix", "pca-fit"], image))
    made(["probe", "--train", "--field", "image_embed", "-o", "p.probe"], labelled)
    labels = os.path.join(demo, "labels.txt")
    cmds = [c.split() for c in (
        "rank --text x", "rank --text x --tsv", "rank --query good.clip --force", "rank --tsv", "rank -k 3 --group none", "rank --min-cos=-1 --text x --json",
        "rank --keep-errors --text x", "record-json", "record-json --arrays", "record-json --csv", "record-json --info", "record-json --raw image_embed",
        "record-json --npy image_embed=x.npy --ids ids", "image-out -o %i-%d.png", "image-out --sheet -o sheet.jpg", "image-out --show=sixel",
        "image-out --show=kitty", "image-out -o %b%r%s%d.ppm", "embed-mix mean", "embed-mix slerp good.clip", "embed-mix lerp text.clip", "embed-mix pca-fit",
        "embed-mix pca-project --pca pca.clip", "embed-mix pca-reconstruct --pca pca.clip --counts 1,2", "clip-tok --decode", "clip-embed",
        "clip-embed --keep-errors -b 2", "prior --steps 2", "prior --steps 2 -n 2 --keep-errors", "decode64 --steps 1", "decode64 --steps 2 --emit-steps 1 --keep-errors",
        "decode64 --steps 1 --rng torch", "decode64 --steps 2 --erase 8,8,40,40 --resample 2 --keep-errors", "upsample --steps 1", "ddim-invert --steps 2", "prior --steps 1 --skip-from HERE", "rank --skip-from HERE --labels LABELS",
        "prior --steps 1 --uncond HERE text.clip", "rank --query HERE good.clip", "rank --labels HERE good.clip", "embed-mix pca-project --pca HERE good.clip",
        "embed-mix slerp good.clip HERE", "embed-mix diff good.clip HERE HERE", "embed-mix sum HERE + good.clip", "record-json --info HERE HERE",
        "probe p.probe", "probe --knn HERE good.clip", "probe --train -o out.probe", "rank --label-cache HERE --labels LABELS good.clip", "vq VQ", "vq -d VQ", "dalle DALLE",
        "prior PIPE", "prior -n 3 --best-of 2 --keep-errors PIPE", "prior --rng torch -g 1 PIPE", "prior --strict --uncond HERE PIPE smalltext.clip",
        "decode64 PIPE", "decode64 -n 2 --emit-steps 5 --keep-errors PIPE", "decode64 --rng torch --ddim --eta 0.5 PIPE", "decode64 --no-text PIPE", "decode64 --erase 2,2,9,9 PIPE", "decode64 -n 2 --erase 0,0,16,5 --resample 2 --keep-errors PIPE",
        "decode64 --embed text PIPE", "decode64 --uncond HERE PIPE smalltext.clip", "upsample PIPE", "decode64 --steps 9 GLIDE", "decode64 --steps 3 -n 2 --erase 2,2,9,9 GLIDE", "upsample --steps 5 GLIDE", "ddim-invert --steps 3 GLIDE",
        "clip-draw --iterations 2 --strokes 8 --cutouts 1 PIPE", "clip-draw --canvas pixels --iterations 2 --size 20x9 --negative HERE PIPE smalltext.clip", "upsample -n 2 --rng torch PIPE", "ddim-invert PIPE",
        "ddim-invert --text --steps 9 PIPE", "clip-embed PIPE", "prior --skip-from HERE PIPE smalltext.clip", "decode64 --shard 1/2 PIPE",
        "clip-draw --size 16 --strokes 4 --iterations 2 --every 1 --keep-errors PIPE", "clip-draw --size 16 --iterations 1 --canvas fourier -n 2 PIPE",
        "clip-draw --size 20 --iterations 1 --canvas pixels --augment cutout --negative HERE PIPE smalltext.clip", "clip-draw --size 16 --iterations 1 --skip-from HERE PIPE smalltext.clip",
        "image-out -o %i-%d.svg", "dalle --keep-top 2 DALLE", "dalle -n 2 --every 3 --keep-errors DALLE")]
    expensive = {"decode64", "upsample", "ddim-invert", "prior"}    # with the model in the box
    light = {"rank", "record-json", "embed-mix", "image-out", "clip-tok", "probe"}
    cmds = [c for c in cmds if os.path.exists(os.path.join(bin, c[0]))]
    end, runs, bad, results, count, changed, longest = time.time() + seconds, 0, 0, 0, {}, 0, (0, "")
    while time.time() < end and changed < enough:
        cmd = r.choice(cmds)
        tiny_model = "PIPE" in cmd or "GLIDE" in cmd
        if cmd[0] in expensive and not tiny_model and (not box or r.random() < 0.8):
            continue
        b, n = stream(r, tiny_too if tiny_model else good, 40 if cmd[0] in light else 4)
        changed += n
        open("here.clip", "wb").write(b)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        args = [x for a in cmd for x in {"HERE": ["here.clip"], "LABELS": [labels], "VQ": vq, "DALLE": dalle, "PIPE": pipe, "GLIDE": glide}.get(a, [a])]
        if "HERE" in cmd:
            status, out, err = run(bin, args, b"")
        elif r.random() < 0.5:
            status, out, err = run(bin, args, b)
        else:
            status, out, err = run(bin, args, None, "here.clip")
        runs += 1
        longest = max(longest, (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, " ".join(cmd)))
        if cmd[0] in expensive:
            results += out.count(START)
        count[cmd[0]] = count.get(cmd[0], 0) + 1
        if status not in (0, 1, 2, 3) or b"runtime error" in err or b"Sanitizer" in err:
            name = os.path.join(keep, "hostile-%d.clip" % bad)
            open(name, "wb").write(b)
            print("hostile.py: %s: status %s, kept as %s\n%s" % (" ".join(cmd), status, name, err.decode(errors="replace")[-3000:]))
            bad += 1
    print("hostile: seed %d, %d streams, %d changed records, %d found, %d results of samplers, %.0f s of processor time at most (%s); %s" % (
        seed, runs, changed, bad, results, *longest, ", ".join("%s %d" % x for x in sorted(count.items()))))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
