#!/usr/bin/env python3
"""peers.py [option]... [SECTION]...: measure unclip and the peers that are installed on the same inputs in one run.

Sections: towers (images and texts of ViT-B/32 and ViT-L/14), accuracy, karlo (a step of each stage), picture (text to
image, with its memory), photos (a directory), start, rank, grow (threads, batch, side, records).  The programs
take turns within a round; ratios are medians over the rounds, so that a machine that changes its speed affects both sides.
Raw results are kept in the file given with --json, which later runs of other sections, models or rows add to; tables.py
prints the tables of BENCHMARKS.md from one or several of them, plot.py the pictures.

Peers run in --python (which needs torch; transformers, diffusers, open_clip_torch, onnxruntime, onnxscript, openvino where
they are to take part) and --rclip; peers that are not installed are named and left out.  Models have random weights: they are
made by tests/make_model and tests/make_karlo in --dir at the first run, as are photos and records (20 GB in all); --prepare
only makes them.  Nothing is downloaded.  The machine should do nothing else.

This script needs Python's own library, and for some sections numpy and msgpack.
"""
import argparse
import datetime
import io
import json
import os
import pathlib
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import tables
from tables import GFLOP, OUT, STEPS, med

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
THREADS = len(os.sched_getaffinity(0))
A = None    # the arguments


def log(*a):
    print(*a, file=sys.stderr, flush=True)


def tool(name):
    return str(A.bin / name)


def aid(name):
    return str(A.build / "tests" / name)


# ---- the programs that are measured ----

class Ours:
    """clip_run, which runs once for every line."""

    def __init__(self, folder, tower, batch, precision, tokens=77, threads=THREADS):
        args = ["-i", "-p", precision, "-j", str(threads), "-b", str(batch), tower, folder]
        if tokens != 77:
            self.ids = tempfile.NamedTemporaryFile()
            ids = [49406] + [1000 + i for i in range(tokens - 2)] + [49407] + [0] * (77 - tokens)
            self.ids.write(struct.pack("<77i", *ids) * batch)
            self.ids.flush()
            args.append(self.ids.name)
        self.p = subprocess.Popen([aid("clip_run"), *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self):
        return self.p.stdout.readline() == "ready\n"

    def ask(self, _):
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        return float(self.p.stdout.readline())

    def close(self):
        self.p.stdin.close()
        self.p.wait()


class Peer:
    def __init__(self, kind, folder):
        self.kind = kind
        self.errors = tempfile.TemporaryFile("w+")
        self.p = subprocess.Popen([A.python, HERE / "peer.py", kind, str(folder)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def why(self):
        self.errors.seek(0)
        lines = [x for x in self.errors.read().strip().split("\n") if x.strip()]
        return lines[-1][:200] if lines else "ended"

    def ready(self):
        line = self.p.stdout.readline()
        if not line.startswith("ready"):
            log(f"{self.kind}: left out: {self.why()}")
            return False
        return True

    def answer(self, q):
        end = threading.Timer(A.limit, self.p.kill)
        end.start()
        try:
            self.p.stdin.write(json.dumps(q) + "\n")
            self.p.stdin.flush()
            line = self.p.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            log(f"{self.kind}: {q}: left out: {self.why() if end.is_alive() else f'no answer within {A.limit:g} s'}")
        end.cancel()
        return json.loads(line) if line else None

    def ask(self, q):
        a = self.answer(q)
        return a and a["ms"]

    def close(self):
        self.p.stdin.close()
        self.p.kill()
        self.p.wait()


def alternate(who, q, rounds):
    """{name: [ms of each round]} of those that answer; the first round warms up."""
    ms = {n: [] for n in who}
    for r in range(rounds + 1):
        names = list(who)
        for n in names[r % len(names):] + names[:r % len(names)]:    # nobody is always first
            if n not in ms:
                continue
            before = time.time()
            t = who[n].ask(q)
            if not r and time.time() - before > 5:
                log(f"{n}: {time.time() - before:.0f} s to warm up for {q}")
            time.sleep(0.02)
            if t is None:
                del ms[n]
            elif r:
                ms[n].append(t)
    return ms


def peak():
    """GFLOP/s of {f32, bf16}, by loops of nothing but products, now."""
    line = subprocess.run([A.build / "bench/kern", "-j", str(THREADS), "-s", "none"], capture_output=True, text=True).stdout
    w = line.split()
    p = {"f32": float(w[w.index("GFLOP/s") - 1]), "bf16": float(w[w.index("bf16;") - 1])}
    p["bf16"] = p["bf16"] or p["f32"]    # bf16 weights are multiplied in f32 where the CPU has no other products
    OUT.setdefault("peaks", []).append(p)
    return p


def model(name, layout="hf"):
    folder = A.dir / ((layout + "-" if layout != "hf" else "") + name)
    if not (folder / "config.json").exists() and not (folder / "open_clip_config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([aid("make_model"), "-d", "f32", "-l", layout, name, folder], check=True)
    return folder


def keep(name, row):
    """Put a row where tables.py finds it, and into the file."""
    row["when"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
    tables.keep(name, row)
    if A.json:
        A.json.write_text(json.dumps(OUT, indent=1))


# ---- towers ----

def towers():
    for name in A.model:
        folder, top = model(name), peak()
        kinds = [k for k in A.peers if k.split("-")[0] in ("hf", "hfc", "oc", "ort", "ov")]
        peers = {k: Peer(k, folder) for k in kinds}
        peers = {k: p for k, p in peers.items() if p.ready()}
        for tower, batch, tokens in (("image", 1, 0), ("image", 8, 0), ("text", 1, 77), ("text", 1, 8)):
            if A.row and f"{tower}{batch}" not in A.row and f"{tower}{tokens}" not in A.row:
                continue
            who = {"unclip-" + p: Ours(folder, tower, batch, p, tokens or 77) for p in ("bf16", "f32")}
            who = {n: o for n, o in who.items() if o.ready()} | peers
            ms = alternate(who, {"what": tower, "batch": batch, "tokens": tokens}, A.rounds)
            for o in who.values():
                if isinstance(o, Ours):
                    o.close()
            what = f"{batch}" if tower == "image" else f"{tokens} tokens"
            keep("towers", {"model": name, "tower": tower, "what": what, "peak": top, "ms": ms,
                            "gflop": GFLOP[name, tower] * (batch if tower == "image" else tokens / 77)})
            log(name, tower, what, {n: round(med(v), 2) for n, v in ms.items() if v})
        for p in peers.values():
            p.close()


def read_records(data, field):
    """{id: vector} of a stream."""
    import msgpack
    import numpy as np
    out = {}
    for r in msgpack.Unpacker(data, strict_map_key=False):
        t = r["data"][field]
        out[r["id"]] = np.frombuffer(t[b"data"], t[b"type"]).astype("f8")
    return out


def cosines(a, b):
    """The least cosine of two lists of vectors, and after subtracting the mean of each."""
    import numpy as np
    cos = lambda a, b: float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())
    return {"cos": cos(a, b), "centred": cos(a - a.mean(0), b - b.mean(0))}


def accuracy():
    """The same images and weights through our f32, our bf16, and transformers' f32; then the model in the box."""
    import numpy as np
    n = 24
    for name in A.model:
        folder = model(name)
        with tempfile.TemporaryDirectory() as d:
            r = np.random.default_rng(3)
            low = r.standard_normal((n, 3, 7, 7)).astype("<f4").repeat(32, 2).repeat(32, 3)
            (low + 0.3 * r.standard_normal(low.shape).astype("<f4")).astype("<f4").tofile(f"{d}/in")
            out = {}
            for p in ("f32", "bf16"):
                subprocess.run([aid("clip_run"), "-p", p, "-j", str(THREADS), "image", folder, f"{d}/in", f"{d}/{p}"],
                               check=True, stdout=subprocess.DEVNULL)
                out[p] = np.fromfile(f"{d}/{p}", "<f4").reshape(n, -1).astype("f8")
            if "hf-f32" in A.peers:
                peer = Peer("hf-f32", folder)
                if peer.ready() and peer.answer({"what": "image", "input": f"{d}/in", "save": f"{d}/hf"}):
                    out["hf"] = np.fromfile(f"{d}/hf", "<f4").reshape(n, -1).astype("f8")
                peer.close()
        for a, b in (("bf16", "f32"), ("f32", "hf")):
            if b in out:
                keep("accuracy", {"model": name, "a": a, "b": b, "pictures": n, **cosines(out[a], out[b])})
    box, embed, named = ROOT / "examples/emoji", {}, {}
    files = sorted(map(str, (box / "demo").glob("*.png")))
    for p in ("f32", "bf16"):
        stream = subprocess.run([tool("clip-embed"), "-q", "-m", box, f"--precision={p}", *files], check=True, capture_output=True).stdout
        embed[p] = read_records(io.BytesIO(stream), "image_embed")
        tsv = subprocess.run([tool("rank"), "-q", "-m", box, f"--precision={p}", "--labels", box / "demo/labels.txt", "--tsv"], input=stream,
                             check=True, capture_output=True).stdout.decode()
        named[p] = {os.path.basename(x[0])[:-4]: x[1] for x in (line.split("\t") for line in tsv.splitlines())}
    letters = lambda s: "".join(c for c in s if c.isalpha())
    right = {p: sum(letters(k) == letters(v) for k, v in m.items()) for p, m in named.items()}
    keep("accuracy", {"model": "the model in the box", "a": "bf16", "b": "f32", "pictures": len(files), "right": right,
                      "labels": len((box / "demo/labels.txt").read_text().split("\n")) - 1,
                      "same": sum(named["f32"][k] == named["bf16"][k] for k in named["f32"]),
                      **cosines(*(np.array([embed[p][f] for f in sorted(embed[p])]) for p in ("bf16", "f32")))})


# ---- Karlo ----

def anon(pid):
    try:
        return next((int(x.split()[1]) / 1024 for x in open(f"/proc/{pid}/status") if x.startswith("RssAnon")), 0)
    except OSError:
        return 0


class Watch(threading.Thread):
    """The most anonymous memory of some processes together, MiB, and of each."""

    def __init__(self, procs):
        super().__init__(daemon=True)
        self.procs, self.sum, self.each = procs, 0, [0] * len(procs)
        self.start()

    def run(self):
        while any(p.poll() is None for p in self.procs):
            now = [anon(p.pid) for p in self.procs]
            self.sum = max(self.sum, sum(now))
            self.each = [max(a, b) for a, b in zip(self.each, now)]
            time.sleep(0.02)


def pack(name, **shapes):
    """A record of noise."""
    import msgpack
    import numpy as np
    r = np.random.default_rng(1)

    def t(*shape):
        a = r.standard_normal(shape).clip(-1, 1).astype("<f4")
        return {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": list(shape), b"data": a.tobytes()}
    return msgpack.packb({"unclip": 1, "id": name, "data": {k: t(*v) for k, v in shapes.items()}})


def record(name, n):
    return pack(name, text_embed=[768], text_states=[n, 768])


def progress(p):
    """Seconds of each step but the first, from the progress lines of a program; steps of less than 0.1 s do not all get one."""
    at = []
    for line in p.stderr:
        if line.startswith("{") and '"step"' in line:
            at.append((json.loads(line)["step"], time.time()))
        elif not line.startswith("{"):
            log(line.strip())
    return [(t - s) / (j - i) for (i, s), (j, t) in zip(at, at[1:]) if j > i]


def steps(stage, args, stdin, stdout, m=None):
    """Seconds of each step but the first, and the peak of anonymous memory."""
    with open(stdin, "rb") as i, open(stdout, "wb") as o:
        p = subprocess.Popen([tool(stage), "-m", m or A.dir / "karlo", "--progress=json", *args], stdin=i, stdout=o, stderr=subprocess.PIPE, text=True)
    w = Watch([p])
    s = progress(p)
    p.wait()
    w.join()
    return s, w.each[0]


def uncached(d, n=6):
    """Seconds of a prior step that computes its text's prefix anew: records of one step have one each."""
    (d / "many").write_bytes(b"".join(record(f"t{i}", 77) for i in range(n)))
    with open(d / "many", "rb") as i:
        p = subprocess.Popen([tool("prior"), "-m", A.dir / "karlo", "-q", "--precision", "bf16", "-b", "1", "--steps", "1", f"--uncond={d / 'empty'}"],
                             stdin=i, stdout=subprocess.PIPE)
    times = []
    while True:
        b = os.read(p.stdout.fileno(), 1 << 20)
        if not b:
            break
        times.append(time.time())
    p.wait()
    return [b - a for a, b in zip(times, times[1:]) if b - a > 0.02]    # a record may come in pieces


def karlo_folder():
    folder = A.dir / "karlo"
    if not (folder / "text_encoder").exists():
        subprocess.run([aid("make_karlo"), "-d", "f16", folder], check=True)
        subprocess.run([aid("make_model"), "-d", "f16", "-l", "split", "ViT-L-14", folder], check=True)
    return folder


def karlo():
    """A step of each stage: ours with both branches, the prior's with its prefix cached; diffusers' computes all 81 rows."""
    folder = karlo_folder()
    with tempfile.TemporaryDirectory(dir=A.dir) as d:
        d = pathlib.Path(d)
        (d / "text").write_bytes(record("text", 12))
        (d / "empty").write_bytes(record("empty", 2))
        for stage, args in (("prior", ["--steps", "25", f"--uncond={d / 'empty'}"]),
                            ("decode64", ["--steps", "4", f"--uncond={d / 'empty'}"]), ("upsample", ["--steps", "3"])):
            src, dst = {"prior": ("text", "p"), "decode64": ("p", "x"), "upsample": ("x", "u")}[stage]
            if A.row and stage not in A.row:
                if set(A.row) & set(list(STEPS)[list(STEPS).index(stage):]):    # a later stage wants its result
                    steps(stage, [*args[2:], "--steps", "1"], d / src, d / dst)
                continue
            top, ms, mem = peak(), {}, {}
            for _ in range(A.rounds if stage == "prior" else 1):
                for p in A.precision:
                    s, mem["unclip-" + p] = steps(stage, [*args, "--cache=none", "--precision", p], d / src, d / dst)
                    ms.setdefault("unclip-" + p, []).extend(1e3 * x for x in s)
                if stage == "prior":    # and the other branch's prefix, too
                    ms.setdefault("uncached-bf16", []).extend(2e3 * x - med(ms["unclip-bf16"]) for x in uncached(d))
            for k in [k for k in A.peers if k.startswith("df")]:
                peer = Peer(k, folder)
                if peer.ready():
                    a = [peer.answer({"what": stage}) for _ in range(1 if stage == "upsample" else 3)]
                    if all(a):
                        ms[k], mem[k] = [x["ms"] for x in a], max(x["anon"] for x in a)
                peer.close()
            log(stage, {n: round(med(v), 1) for n, v in ms.items()})
            old = next((r for r in OUT.get("karlo", []) if r["stage"] == stage), {"ms": {}, "mem": {}})
            keep("karlo", {"stage": stage, "peak": top, "ms": old["ms"] | ms, "mem": old["mem"] | mem})


def merges():
    """OpenAI's merges, for texts to full-size models: given, or open_clip's own copy."""
    if not A.merges:
        where = subprocess.run([A.python, "-c", "import importlib.util as u; print(u.find_spec('open_clip').submodule_search_locations[0])"],
                               capture_output=True, text=True).stdout.strip()
        if not where:
            raise OSError("no --merges, and no open_clip to take them from")
        A.merges = where + "/bpe_simple_vocab_16e6.txt.gz"
    return A.merges


def ours_whole(cache, n, out):
    """From a line of text to a PNG by the whole pipe: a row of `picture`."""
    m = ["-m", str(karlo_folder()), "-m", merges(), *([] if cache else ["--cache=none"])]
    talk = ["--progress=json"]
    chain = {"clip-tok": ["-m", merges()], "clip-embed": [*m, "-q"], "prior": [*m, *talk, "--steps", n[0]], "decode64": [*m, *talk, "--steps", n[1]],
             "upsample": [*m, *talk, "--steps", n[2]], "image-out": ["-o", out]}
    t, procs, step = time.time(), [], {}
    for name, args in chain.items():
        procs.append(subprocess.Popen([tool(name), *args], stdin=procs[-1].stdout if procs else subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE if name in STEPS else None, text=name in STEPS))
        if len(procs) > 1:
            procs[-2].stdout.close()
        if name in STEPS:
            step[name] = threading.Thread(target=lambda k, p: step.update({k: progress(p)}), args=(name, procs[-1]))
            step[name].start()
    w, readers = Watch(procs), list(step.values())
    procs[0].stdin.write(b"a red apple\n")
    procs[0].stdin.close()
    codes = [p.wait() for p in procs]
    t = time.time() - t
    for r in (w, *readers):
        r.join()
    if any(codes) or not os.path.exists(out):
        raise OSError(f"the pipe failed: {codes}")
    return {"run": t, "exec": t, "step": {k: step[k] for k in STEPS}, "anon": w.sum, "each": dict(zip(chain, w.each))}


def picture():
    """Text to image, with the peak of anonymous memory of all programs together."""
    n = dict(zip(STEPS, A.steps))
    timeless = {"step": {}, "run": None, "exec": None} if A.memory else {}
    for who, cache in (("unclip-bf16 without cache", False), ("unclip-bf16", True)):
        if A.who and who not in A.who:
            continue
        with tempfile.TemporaryDirectory() as d:
            if cache:
                ours_whole(cache, ["1", "1", "1"], f"{d}/p.png")    # fills it
            keep("picture", {"who": who, "steps": n, **ours_whole(cache, list(map(str, A.steps)), f"{d}/p.png"), **timeless})
        log(who, OUT["picture"][-1])
    for k in [k for k in A.peers if k.startswith("df") and (not A.who or k in A.who)]:
        with tempfile.TemporaryDirectory() as d:
            t = time.time()
            p = subprocess.Popen([A.python, HERE / "peer_picture.py", k, karlo_folder(), ",".join(map(str, A.steps)), f"{d}/p.png"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            w = Watch([p])
            try:
                out, err = p.communicate(timeout=A.limit)
            except subprocess.TimeoutExpired:
                p.kill()
                out, err = p.communicate()[0], f"not done after {A.limit:g} s"
            w.join()
            if p.returncode:
                log(f"{k}: left out: {(err.strip() or 'failed').splitlines()[-1][-200:]}")
                continue
            a = json.loads(out)
            keep("picture", {"who": k, "steps": n, **a, "exec": time.time() - t, "anon": w.sum, **timeless})
            log(k, a, w.sum)


# ---- a directory of photos ----

def photo_folder(size, n):
    d = A.dir / f"photos-{size}"
    if not d.exists() or len(list(d.iterdir())) < n:
        subprocess.run([A.python, HERE / "make_photos.py", d, "-n", str(n), "--size", size], check=True)
    return sorted(map(str, d.iterdir()))[:n]


def timed(argv, **k):
    """Seconds of the clock, or None."""
    t = time.perf_counter()
    r = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **k)
    if r.returncode:
        log(argv[0], "failed:", r.stderr.strip()[-200:])
        return None
    return time.perf_counter() - t


def photos():
    """Seconds for each image after the first: loading a model and starting Python are in `start`."""
    for size, n in [x for x in (("4000x3000", A.big), ("640x480", A.small)) if x[1] > 1]:
        files = photo_folder(size, n)
        for name in A.model:
            folder, what, s = model(name), f"{name}, {size}", {}
            ours = {f"unclip-{p}": [tool("clip-embed"), "-q", "-m", folder, f"--precision={p}"] for p in ("bf16", "f32")}
            ours["decode only"] = [tool("clip-embed"), "-q", "-m", model("glance")]
            net = {p: Ours(folder, "image", 16, p) for p in ("bf16", "f32")}
            for o in net.values():
                o.ready()
            for c in ours.values():    # the first start packs the weights, and counts for nobody
                timed([*c, files[0]])
            peers = [k for k in A.peers if k.startswith(("oc-", "hf-"))]
            for _ in range(A.rounds):
                for k, c in ours.items():
                    one, all_ = timed([*c, files[0]]), timed([*c, *files])
                    s.setdefault(k, []).append((all_ - one) / (n - 1))
                for p, o in net.items():
                    s.setdefault(f"network only, {p}", []).append(o.ask(0) / 16e3)
                for k in list(peers):
                    a = subprocess.run([A.python, HERE / "peer_photos.py", k, folder, *files], capture_output=True, text=True)
                    if a.returncode:
                        log(f"{k}: left out: {a.stderr.strip()[-200:]}")
                        peers.remove(k)
                    else:
                        s.setdefault(k, []).extend(json.loads(a.stdout))
                if A.rclip and name == "ViT-B-32":
                    s.setdefault("rclip-f32", []).extend(rclip_photos(files))
            for o in net.values():
                o.close()
            keep("photos", {"what": what, "n": n, "s": {k: v for k, v in s.items() if v}})
            log(what, {k: round(1e3 * med(v), 2) for k, v in s.items() if v})


def rclip_env():
    """rclip looks for an exported model before it downloads one: ours has the same shapes, and random weights."""
    d = A.dir / "rclip"
    if not (d / "ViT-B-32-256-datacomp_s34b_b86k/textual.onnx").exists():
        subprocess.run([A.python, HERE / "peer_rclip.py", d], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {**os.environ, "RCLIP_DATADIR": str(d), "HF_HUB_OFFLINE": "1"}


def rclip_photos(files):
    try:
        env = rclip_env()
    except (OSError, subprocess.CalledProcessError) as e:
        log(f"rclip: left out: {e}")
        return []
    with tempfile.TemporaryDirectory() as d:
        for sub, some in (("one", files[:1]), ("all", files)):
            pathlib.Path(d, sub).mkdir()
            for f in some:
                os.symlink(f, f"{d}/{sub}/{os.path.basename(f)}")
        pathlib.Path(env["RCLIP_DATADIR"], "db.sqlite3").unlink(missing_ok=True)
        a, b = (timed([A.rclip, "-f", "a red apple"], cwd=f"{d}/{x}", env=env) for x in ("one", "all"))
    return [] if a is None or b is None else [(b - a) / (len(files) - 1)]


# ---- from exec to the first text embedding ----

def start():
    vocab = A.merges
    for name in A.model:
        folder, s = model(name), {}
        with tempfile.TemporaryDirectory() as d:
            tokens = f"{d}/t"
            with open(tokens, "wb") as f:
                subprocess.run([tool("clip-tok"), *(["-m", vocab] if vocab else [])], input=b"a red apple\n", stdout=f, check=True)
            pipe = f"echo 'a red apple' | {tool('clip-tok')} {f'-m {vocab}' if vocab else ''} | {tool('clip-embed')} -q -m {folder}"
            cases = {}
            for p in ("f32", "bf16"):
                for label, flag in (("", ""), (", no cache", "--cache=none")):
                    cases[f"unclip-{p}{label}"] = (["sh", "-c", f"{pipe} --precision={p} {flag}"], os.environ)
            for k in ("hf-f32", "oc-f32"):
                cases[k] = ([A.python, HERE / "peer_start.py", k, folder if k[0] == "h" else model(name, "openclip")], os.environ)
            if A.rclip and name == "ViT-B-32":
                try:
                    cases["rclip-f32"] = ([A.rclip, "-n", "-f", "a red apple"], rclip_env())
                except (OSError, subprocess.CalledProcessError) as e:
                    log(f"rclip: left out: {e}")
            for r in range(A.rounds + 1):    # the first makes caches and warms the page cache
                for k, (argv, e) in cases.items():
                    if k in s and s[k] is None:
                        continue
                    t = timed(argv, env=e, cwd=d)
                    if r == 0 or t is None:
                        s[k] = [] if t is not None else None
                    else:
                        s[k].append(t)
        keep("start", {"model": name, "s": {k: v for k, v in s.items() if v}})


# ---- rank, and how things grow ----

def records(n, kind="f32"):
    f = A.dir / f"records-{kind}-{n}"
    if not f.exists():
        with open(f"{f}.part", "wb") as o:
            subprocess.run([aid("make_records"), "-n", str(n), "-t", kind], stdout=o, check=True)
        os.rename(f"{f}.part", f)
    return f


def query():
    f = A.dir / "query"
    with open(f, "wb") as o:
        subprocess.run([aid("make_records"), "-n", "1", "-s", "9", "-f", "text_embed"], stdout=o, check=True)
    return f


def rank():
    """Beside programs that look at the same bytes and do nothing with them: sumbytes, and cat FILE | wc -c."""
    q = query()
    for kind in ("f32", "f16"):
        f = records(A.records, kind)
        ours, total = [tool("rank"), "-q", "--query", q, "-k", "10", "--tsv"], [A.build / "bench/sumbytes"]
        who = {"sum": [*total, str(THREADS), f], "map": [*total, "-m", str(THREADS), f], "rank": [*ours, f],
               "wc": ["sh", "-c", 'cat "$1" | wc -c', "_", f], "pipe": ["sh", "-c", 'f=$1; shift; cat "$f" | "$@"', "_", f, *ours]}
        s = {}
        for r in range(A.rounds + 1):    # the first brings the file into the page cache
            for k, c in who.items():
                t = timed(c)
                if r and t is not None:
                    s.setdefault(k, []).append(t)
        keep("rank", {"type": kind, "n": A.records, "bytes": f.stat().st_size, "s": s})
        log("rank", kind, {k: round(med(v), 3) for k, v in s.items()})


def grow():
    """With threads 1, 2, 4 ... and all: a batch, a picture's side, the number of records."""
    js = sorted({1, THREADS} | {j for j in (2, 4, 8, 16, 32, 64) if j < THREADS})
    want = A.row or ["batch", "side", "karlo", "records"]

    def add(what, j, x, s, **more):
        keep("grow", {"what": what, "threads": j, "x": x, "s": s, **more})
        log(what, f"{j} threads", x, round(med(s), 4), more)

    for b in (1, 2, 4, 8, 16, 32, 64) if "batch" in want else ():
        who = {j: Ours(model("ViT-B-32"), "image", b, "bf16", threads=j) for j in js}
        ms = alternate({j: o for j, o in who.items() if o.ready()}, {}, A.rounds)
        for j, o in who.items():
            o.close()
            add("batch", j, b, [x / 1e3 for x in ms[j]])
    with tempfile.TemporaryDirectory(dir=A.dir) as d:
        d = pathlib.Path(d)
        for what, m, sides, n in (("side", ROOT / "examples/emoji", (64, 128, 256, 512, 1024), 5), ("karlo side", None, (64, 128, 256), 2)):
            if what.split()[0] not in want:
                continue
            m = m or karlo_folder()
            for side in sides:    # four times the input's
                (d / "i").write_bytes(pack("i", image=[3, side // 4, side // 4]))
                for j in js if what == "side" else js[-1:]:
                    s, mem = steps("upsample", ["--steps", str(n), "-j", str(j), "--cache=none", "--precision=bf16"], d / "i", d / "o", m)
                    if s:
                        add(what, j, side, s, anon=mem)
    if "records" in want:
        q = query()
        for n in (1000, 10000, 100000, 1000000):
            f, s = records(n), {j: [] for j in js}
            for r in range(A.rounds + 1):
                for j in js:
                    t = timed([tool("rank"), "-q", "-j", str(j), "--query", q, "-k", "10", "--tsv", f])
                    if r and t is not None:
                        s[j].append(t)
            for j in js:
                add("records", j, n, s[j])


# ---- ----

SECTIONS = {f.__name__: f for f in (towers, accuracy, karlo, picture, photos, start, rank, grow)}
PEERS = "hf-f32,hf-bf16,hfc-bf16,oc-f32,oc-bf16,ort-f32,ov-f32,ov-bf16,df-f32,df-bf16,dfc-bf16"
NEEDS = {"hf": "transformers", "hfc": "transformers", "oc": "open_clip_torch", "ort": "onnxruntime", "ov": "openvino", "df": "diffusers", "dfc": "diffusers"}
ASK = """import importlib.metadata as m, json
def version(n):
    try: return m.version(n)
    except m.PackageNotFoundError: return None
print(json.dumps({n: version(n) for n in %r.split()}))"""


def found():
    """Versions of the libraries that are installed; the others are named, and their peers are left out."""
    try:
        names = " ".join(["torch", *dict.fromkeys(NEEDS.values()), "accelerate"])
        r = subprocess.run([A.python, "-c", ASK % names], capture_output=True, text=True, check=True).stdout
        have = json.loads(r)
    except (OSError, subprocess.CalledProcessError, ValueError) as e:
        log(f"{A.python}: {e}")
        have = {}
    if A.rclip:
        r = subprocess.run([A.rclip, "--version"], capture_output=True, text=True).stdout.split() if shutil.which(A.rclip) else []
        have["rclip"] = r[-1] if r else None
        A.rclip = have["rclip"] and A.rclip
    have["unclip"] = subprocess.run([tool("clip-embed"), "-V"], capture_output=True, text=True, check=True).stdout.split("\n")[0].split()[-1]
    OUT.setdefault("versions", {}).update({k: v for k, v in have.items() if v})
    log("found: " + ", ".join(f"{k} {v}" for k, v in have.items() if v))
    gone = [k for k, v in have.items() if not v] + ([] if A.rclip or "rclip" in have else ["rclip (--rclip)"])
    if gone:
        log("not installed, left out: " + ", ".join(gone))
    A.peers = [k for k in A.peers if have.get(NEEDS.get(k.split("-")[0])) and have.get("torch")]


def prepare():
    """All that is made once."""
    for name in A.model:
        model(name)
    model("glance")
    karlo_folder()
    for size, n in (("4000x3000", A.big), ("640x480", A.small)):
        photo_folder(size, n)
    for n in (1000, 10000, 100000, 1000000, A.records):
        records(n)
    records(A.records, "f16")
    if A.rclip:
        rclip_env()


def options():
    names = lambda s: s.split(",")
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("section", nargs="*", metavar="SECTION", help="default: all")
    p.add_argument("--json", type=pathlib.Path, metavar="FILE", help="results, read and added to")
    p.add_argument("-r", "--rounds", type=int, default=7)
    p.add_argument("-d", "--dir", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "unclip-peers", help="models, photos and records")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    p.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    p.add_argument("--rclip", help="the rclip program")
    p.add_argument("--peers", type=names, default=names(PEERS), help=PEERS)
    p.add_argument("--model", type=names, default=["ViT-B-32", "ViT-L-14"])
    p.add_argument("--row", type=names, help="of towers (image1, image8, text77, text8), karlo (a stage) or grow (batch, side, karlo, records)")
    p.add_argument("--who", type=names, help="of picture: unclip-bf16, unclip-bf16 without cache, df-f32 ... (default: all)")
    p.add_argument("--precision", type=names, default=["bf16", "f32"], help="of karlo, ours")
    p.add_argument("--steps", type=lambda s: [int(x) for x in s.split(",")], default=list(STEPS.values()), help="of picture; fewer than 25,25,7 are scaled up")
    p.add_argument("--memory", action="store_true", help="picture: keep the memory only, the machine being busy")
    p.add_argument("--limit", type=float, default=1800, help="seconds after which a peer that does not answer is left out")
    p.add_argument("--merges", help="bpe_simple_vocab_16e6.txt.gz (default: open_clip's; start: else the model in the box)")
    p.add_argument("--big", type=int, default=64, help="photos of 12 megapixels")
    p.add_argument("--small", type=int, default=200, help="photos of 640 x 480")
    p.add_argument("--records", type=int, default=1000000)
    p.add_argument("--prepare", action="store_true", help="make models, photos and records, measure nothing")
    return p.parse_args()


def main():
    global A
    A = options()
    A.bin = A.build / "bin"
    if A.json and A.json.exists():
        tables.merge(json.loads(A.json.read_text()))
    OUT["machine"] = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), platform.machine())
    OUT["threads"] = THREADS
    A.dir.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(A.dir / "cache")    # of packed weights
    found()
    if A.prepare:
        return prepare()
    for s in A.section or SECTIONS:
        try:
            SECTIONS[s]()
        except (ImportError, OSError, subprocess.CalledProcessError) as e:
            log(f"{s}: left out: {e}")
    tables.report()


if __name__ == "__main__":
    main()
