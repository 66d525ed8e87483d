#!/usr/bin/env python3
"""peers.py [option]... [SECTION]...: unclip beside whatever of its peers is installed, on the same inputs, in one go.

Sections: towers (images and texts of ViT-B/32 and ViT-L/14), accuracy, karlo, picture (text to picture, whole), photos
(a folder), start, rank, grow.  What is measured takes turns within a round; ratios are medians over the rounds, so that a
machine that changes its mind hurts both sides.  Results are kept in the JSON file given with -o, which later runs of other
sections add to; --report prints all of them as the tables of BENCHMARKS.md.

Peers run in --python (which needs torch; transformers, diffusers, open_clip_torch, onnxruntime, onnxscript, openvino where
they are to take part) and --rclip; one that does not start is named and left out.  Models have random weights: they are
made by tests/make_model and tests/make_karlo in --dir at the first run (11 GB with Karlo).  Nothing is downloaded.
The machine should do nothing else.  This script itself needs Python's own library, and numpy for accuracy and karlo.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
THREADS = len(os.sched_getaffinity(0))
GFLOP = {("ViT-B-32", "image"): 8.82, ("ViT-B-32", "text"): 5.96, ("ViT-L-14", "image"): 162.03, ("ViT-L-14", "text"): 13.30,
         "prior": 6.1, "prior, uncached": 2 * 164.4, "decode64": 2 * 597.6, "upsample": 8497.4}    # of one step here
A = None    # the arguments
OUT = {}    # the results


def log(*a):
    print(*a, file=sys.stderr, flush=True)


def med(x):
    return statistics.median(x)


def tool(name):
    return str(A.bin / name)


def aid(name):
    return str(A.build / "tests" / name)


# ---- what is asked and answers ----

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
        OUT.setdefault("versions", {}).update(json.loads(line[6:]))
        return True

    def answer(self, q):
        try:
            self.p.stdin.write(json.dumps(q) + "\n")
            self.p.stdin.flush()
            line = self.p.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            log(f"{self.kind}: {q}: failed: {self.why()}")
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
    OUT.setdefault("peaks", []).append(p)
    return p


def model(name, layout="hf"):
    folder = A.dir / ((layout + "-" if layout != "hf" else "") + name)
    if not (folder / "config.json").exists() and not (folder / "open_clip_config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([aid("make_model"), "-d", "f32", "-l", layout, name, folder], check=True)
    return folder


def section(name, rows):
    OUT[name] = rows
    OUT.setdefault("when", {})[name] = time.strftime("%H:%M", time.gmtime())
    if A.output:
        A.output.write_text(json.dumps(OUT, indent=1))
    print(tables.get(name, lambda: json.dumps(rows))(), flush=True)


# ---- towers ----

def towers():
    rows = OUT.get("towers", [])
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
            rows = [r for r in rows if (r["model"], r["tower"], r["what"]) != (name, tower, what)]
            rows.append({"model": name, "tower": tower, "what": what, "peak": top, "ms": ms,
                         "gflop": GFLOP[name, tower] * (batch if tower == "image" else tokens / 77)})
            log(name, tower, what, {n: round(med(v), 2) for n, v in ms.items() if v})
            section("towers", rows)
        for p in peers.values():
            p.close()


def fastest(ms, precision):
    """The peer that is fastest in this class, and the median ratio to it, round by round."""
    them = {n: med(v) for n, v in ms.items() if n.endswith(precision) and not n.startswith("unclip") and v}
    if not them or not ms.get("unclip-" + precision):
        return None, None
    n = min(them, key=them.get)
    return n, med([b / a for a, b in zip(ms["unclip-" + precision], ms[n])])


def verdict(ratio, want, ms, gflop, top):
    """Against the goal, or against 75 % of the peak where that is nearer."""
    floor = gflop / (0.75 * top) * 1e3
    if ratio is None:
        return "no peer"
    if ratio >= want:
        return "yes"
    return f"yes, by 75 % of the peak ({floor:.3g} ms)" if ms <= floor else "**no**"


def towers_table():
    t = ["| model | input | class | unclip, ms | of the peak | fastest peer | its ms | ratio | >= 1.2 |", "|---|---|---|---:|---:|---|---:|---:|---|"]
    for r in OUT["towers"]:
        for p in ("bf16", "f32"):
            ours, (n, ratio) = med(r["ms"]["unclip-" + p]), fastest(r["ms"], p)
            t.append(f'| {r["model"]} | {r["tower"]}, {r["what"]} | {p} | {ours:.2f} | {r["gflop"] / ours * 1e5 / r["peak"][p]:.0f} % | '
                     f'{n} | {med(r["ms"][n]) if n else 0:.2f} | {ratio or 0:.2f} | {verdict(ratio, 1.2, ours, r["gflop"], r["peak"][p])} |')
    kinds = sorted({n for r in OUT["towers"] for n in r["ms"]}, key=lambda n: (n.split("-")[1], n))
    t += ["", "All of them, ms:", "", "| model | input | " + " | ".join(kinds) + " |", "|---|---|" + "---:|" * len(kinds)]
    for r in OUT["towers"]:
        t.append(f'| {r["model"]} | {r["tower"]}, {r["what"]} | ' +
                 " | ".join(f'{med(r["ms"][k]):.1f}' if r["ms"].get(k) else "-" for k in kinds) + " |")
    return "\n".join(t)


def accuracy():
    """The same pictures through our f32, our bf16, and transformers' f32 (the same weights)."""
    import numpy as np
    rows = []
    for name in A.model:
        folder, n = model(name), 24
        with tempfile.TemporaryDirectory() as d:
            photo_folder("640x480", n)
            r = np.random.default_rng(3)
            low = r.standard_normal((n, 3, 7, 7)).astype("<f4").repeat(32, 2).repeat(32, 3)
            (low + 0.3 * r.standard_normal(low.shape).astype("<f4")).astype("<f4").tofile(f"{d}/in")
            out = {}
            for p in ("f32", "bf16"):
                subprocess.run([aid("clip_run"), "-p", p, "-j", str(THREADS), "image", folder, f"{d}/in", f"{d}/{p}"],
                               check=True, stdout=subprocess.DEVNULL)
                out[p] = np.fromfile(f"{d}/{p}", "<f4").reshape(n, -1).astype("f8")
            peer = Peer("hf-f32", folder)
            if peer.ready() and peer.answer({"what": "image", "input": f"{d}/in", "save": f"{d}/hf"}):
                out["hf"] = np.fromfile(f"{d}/hf", "<f4").reshape(n, -1).astype("f8")
            peer.close()
        cos = lambda a, b: float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())
        mid = lambda a: a - a.mean(0)
        for a, b in (("bf16", "f32"), ("f32", "hf")):
            if b in out:
                rows.append({"model": name, "a": a, "b": b, "cos": cos(out[a], out[b]), "centred": cos(mid(out[a]), mid(out[b]))})
    section("accuracy", rows)


def accuracy_table():
    names = {"hf": "transformers f32", "f32": "unclip f32", "bf16": "unclip bf16"}
    t = ["| model | | least cosine | centred |", "|---|---|---:|---:|"]
    return "\n".join(t + [f'| {r["model"]} | {names[r["a"]]} and {names[r["b"]]} | 1 - {1 - r["cos"]:.1e} | {r["centred"]:.7f} |' for r in OUT["accuracy"]])


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


def steps(stage, args, stdin, stdout, precision):
    """Seconds of each step but the first, and the peak of anonymous memory."""
    p = subprocess.Popen([tool(stage), "-m", A.dir / "karlo", "--progress=json", "--precision", precision, *args],
                         stdin=open(stdin, "rb"), stdout=open(stdout, "wb"), stderr=subprocess.PIPE, text=True)
    w, times = Watch([p]), []
    for line in p.stderr:
        if line.startswith("{") and '"step"' in line:
            times.append(time.time())
    p.wait()
    w.join()
    return [b - a for a, b in zip(times, times[1:])], w.each[0]


def uncached(d, n=6):
    """Seconds of a prior step that computes both prefixes anew: records of one step have one prefix each."""
    (d / "many").write_bytes(b"".join(record(f"t{i}", 77) for i in range(n)))
    p = subprocess.Popen([tool("prior"), "-m", A.dir / "karlo", "-q", "--precision", "bf16", "-b", "1", "--steps", "1", f"--uncond={d / 'empty'}"],
                         stdin=open(d / "many", "rb"), stdout=subprocess.PIPE)
    times = []
    while True:
        b = os.read(p.stdout.fileno(), 1 << 20)
        if not b:
            break
        times.append(time.time())
    p.wait()
    return [b - a for a, b in zip(times, times[1:]) if b - a > 0.02]    # a record may come in pieces


def karlo():
    folder = A.dir / "karlo"
    if not (folder / "text_encoder").exists():
        subprocess.run([aid("make_karlo"), "-d", "f16", folder], check=True)
        subprocess.run([aid("make_model"), "-d", "f16", "-l", "split", "ViT-L-14", folder], check=True)
    rows = OUT.get("karlo", [])
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        (d / "text").write_bytes(record("text", 12))
        (d / "empty").write_bytes(record("empty", 2))
        for stage, args in (("prior", ["--steps", "25", f"--uncond={d / 'empty'}"]),
                            ("decode64", ["--steps", "4", f"--uncond={d / 'empty'}"]), ("upsample", ["--steps", "3"])):
            src, dst = {"prior": ("text", "p"), "decode64": ("p", "x"), "upsample": ("x", "u")}[stage]
            if A.row and stage not in A.row:
                steps(stage, [*args[2:], "--steps", "1"], d / src, d / dst, "bf16")    # for the next stage
                continue
            top, ms, mem = peak(), {}, {}
            for _ in range(A.rounds if stage == "prior" else 1):
                s, mem["unclip-bf16"] = steps(stage, args, d / src, d / dst, "bf16")
                ms.setdefault("unclip-bf16", []).extend(1e3 * x for x in s)
                if stage == "prior":
                    ms.setdefault("uncached-bf16", []).extend(1e3 * x for x in uncached(d))
            for k in [k for k in A.peers if k.startswith("df")]:
                peer = Peer(k, folder)
                if peer.ready():
                    a = [peer.answer({"what": stage}) for _ in range(1 if stage == "upsample" else 3)]
                    if all(a):
                        ms[k], mem[k] = [x["ms"] for x in a], max(x["anon"] for x in a)
                peer.close()
                log(stage, {n: round(med(v), 1) for n, v in ms.items()})
            old = next((r for r in rows if r["stage"] == stage), {"ms": {}, "mem": {}})
            rows = [r for r in rows if r["stage"] != stage]
            rows.append({"stage": stage, "peak": top, "ms": old["ms"] | ms, "mem": old["mem"] | mem})
            section("karlo", rows)


def karlo_table():
    t = ["| stage | unclip bf16, s a step | of the peak | MiB | diffusers: " + " | ".join(k for k in DF) + " | fastest | ratio | >= 1.5 |",
         "|---|---:|---:|---:|" + "---:|" * len(DF) + "---|---:|---|"]
    for r in sorted(OUT["karlo"], key=lambda r: list(GFLOP).index(r["stage"])):
        them = {k: med(r["ms"][k]) for k in DF if r["ms"].get(k)}
        best = min(them, key=them.get) if them else None
        for what, key in ((r["stage"], "unclip-bf16"), (r["stage"] + ", uncached", "uncached-bf16")):
            if not r["ms"].get(key):
                continue
            ours = med(r["ms"][key])
            if key == "uncached-bf16":    # the other branch's prefix, too
                ours = 2 * ours - med(r["ms"]["unclip-bf16"])
            cells = " | ".join(f'{them[k] / 1e3:.2f} ({r["mem"].get(k, 0):.0f} MiB)' if k in them else "-" for k in DF)
            ratio = them[best] / ours if best else None
            t.append(f'| {what} | {ours / 1e3:.3f} | {GFLOP[what] * 1e5 / ours / r["peak"]["bf16"]:.0f} % | {r["mem"].get("unclip-bf16", 0):.0f} | {cells} | '
                     f'{best} | {ratio or 0:.2f} | {verdict(ratio, 1.5, ours, GFLOP[what], r["peak"]["bf16"])} |')
    return "\n".join(t)


def picture():
    """From a line of text to a picture by the whole pipe, with the peak of anonymous memory of all its programs together."""
    m = ["-m", str(A.dir / "karlo"), *(["-m", A.merges] if A.merges else []), *([] if A.cache else ["--cache=none"])]
    with tempfile.TemporaryDirectory() as d:
        chain = [[tool("clip-tok"), *(["-m", A.merges] if A.merges else [])], [tool("clip-embed"), *m, "--precision=bf16"], [tool("prior"), *m, "-q"],
                 [tool("decode64"), *m, "-q"], [tool("upsample"), *m, "-q"], [tool("image-out"), "-o", f"{d}/p.png"]]
        t, procs = time.time(), []
        for i, c in enumerate(chain):
            procs.append(subprocess.Popen(c, stdin=procs[-1].stdout if i else subprocess.PIPE,
                                          stdout=subprocess.PIPE if i + 1 < len(chain) else None))
            if i:
                procs[-2].stdout.close()
        w = Watch(procs)
        procs[0].stdin.write(b"a red apple\n")
        procs[0].stdin.close()
        codes = [p.wait() for p in procs]
        t = time.time() - t
        w.join()
        ok = pathlib.Path(f"{d}/p.png").exists()
    if any(codes) or not ok:
        return log("picture: the pipe failed (karlo has no tokenizer of its own: --merges)")
    section("picture" if not A.cache else "picture, cached", {"s": t, "ok": ok, "codes": codes, "sum": w.sum, "each": dict(zip(["clip-tok", "clip-embed", "prior", "decode64", "upsample", "image-out"], w.each))})


def picture_table():
    r, t = OUT.get("picture"), []
    for r in [OUT[k] for k in ("picture, cached", "picture") if k in OUT]:
        t.append(f'From exec to the PNG{", packed weights from the cache" if r is OUT.get("picture, cached") else ""}: {r["s"]:.1f} s; peak of anonymous memory of all programs together {r["sum"]:.0f} MiB (' +
         ", ".join(f"{k} {v:.0f}" for k, v in r["each"].items()) + ").")
    k = {x["stage"]: x for x in OUT.get("karlo", [])}
    for p in ("bf16", "f32"):
        best, need = 0, {"prior": 25, "decode64": 25, "upsample": 7}
        names = [n for n in DF if n.endswith(p)]
        if all(s in k and any(k[s]["ms"].get(n) for n in names) for s in need):
            best = sum(c * min(med(k[s]["ms"][n]) for n in names if k[s]["ms"].get(n)) for s, c in need.items()) / 1e3
            t.append(f"diffusers {p}, fastest forwards of each stage x 25, 25, 7 (text, loading, scheduler not counted): {best:.1f} s, {best / r['s']:.2f} times ours.")
    f32 = [k[s]["mem"].get("df-f32") for s in ("prior", "decode64", "upsample") if s in k]
    if len(f32) == 3 and all(f32):
        total = f32[0] + f32[1] + 2 * 2638 + (f32[2] - 2638)
        t.append(f"diffusers f32 with everything loaded, from the stages' peaks and the second upsampler's weights: {total:.0f} MiB; ours is {r['sum'] / total:.2f} of it.")
    return "\n".join(t)


# ---- a folder of photos ----

def photo_folder(size, n):
    d = A.dir / f"photos-{size}"
    if not d.exists() or len(list(d.iterdir())) < n:
        subprocess.run([A.python, HERE / "make_photos.py", d, "-n", str(n), "--size", size], check=True)
    return sorted(map(str, d.iterdir()))[:n]


def timed(argv, **k):
    t = time.perf_counter()
    r = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **k)
    if r.returncode:
        log(argv[0], "failed:", r.stderr.strip()[-200:])
        return None
    return time.perf_counter() - t


def photos():
    """Seconds for the pictures after the first: loading a model and starting Python are in `start`."""
    rows = OUT.get("photos", [])
    sizes = [x for x in (("4000x3000", A.big), ("640x480", A.small)) if x[1] > 1]
    for size, n in sizes:
        files = photo_folder(size, n)
        for name in A.model:
            folder, what = model(name), f"{name}, {size}"
            ours = {f"unclip-{p}": [tool("clip-embed"), "-q", "-m", folder, f"--precision={p}"] for p in ("bf16", "f32")}
            ours["decode only"] = [tool("clip-embed"), "-q", "-m", model("glance")]
            net = {p: Ours(folder, "image", 16, p) for p in ("bf16", "f32")}
            s = {}
            for p, o in net.items():
                o.ready()
            for _ in range(A.rounds):
                for k, c in ours.items():
                    one, all_ = timed([*c, files[0]]), timed([*c, *files])
                    s.setdefault(k, []).append((all_ - one) / (n - 1))
                for p, o in net.items():
                    s.setdefault(f"network only, {p}", []).append(o.ask(0) / 16e3)
            for o in net.values():
                o.close()
            for k in [k for k in A.peers if k.startswith(("oc-", "hf-"))] if A.python else []:
                a = subprocess.run([A.python, HERE / "peer_photos.py", k, folder, *files], capture_output=True, text=True)
                if a.returncode:
                    log(f"{k}: left out: {a.stderr.strip()[-200:]}")
                else:
                    s[k] = json.loads(a.stdout)
                    log(what, k, s[k])
            if A.rclip and name == "ViT-B-32":
                s["rclip-f32"] = rclip_photos(files)
            rows = [r for r in rows if r["what"] != what] + [{"what": what, "n": n, "s": {k: v for k, v in s.items() if v}}]
            log(what, {k: round(1e3 * med(v), 2) for k, v in s.items() if v})
            section("photos", rows)


def photos_table():
    t = ["| | unclip, ms a photo | decode only | network only | of the slower | of both after one another | fastest peer | its ms | ratio | >= 2 |",
         "|---|---:|---:|---:|---:|---:|---|---:|---:|---|"]
    for r in OUT["photos"]:
        for p in ("bf16", "f32"):
            s = {k: 1e3 * med(v) for k, v in r["s"].items()}
            ours, dec, net = s["unclip-" + p], s["decode only"], s["network only, " + p]
            them = {k: v for k, v in s.items() if k[:3] in ("oc-", "hf-", "rcl")}
            best = min(them, key=them.get) if them else None
            ratio = them[best] / ours if best else 0
            t.append(f'| {r["what"]}, {p} | {ours:.2f} | {dec:.2f} | {net:.2f} | {max(dec, net) / ours:.2f} | {(dec + net) / ours:.2f} | {best} | '
                     f'{them.get(best, 0):.1f} | {ratio:.2f} | {"yes" if ratio >= 2 else "**no**"} |')
    kinds = sorted({k for r in OUT["photos"] for k in r["s"] if k[:3] in ("oc-", "hf-", "rcl")})
    t += ["", "| ms a photo | " + " | ".join(kinds) + " |", "|---|" + "---:|" * len(kinds)]
    return "\n".join(t + [f'| {r["what"]} | ' + " | ".join(f'{1e3 * med(r["s"][k]):.1f}' if k in r["s"] else "-" for k in kinds) + " |" for r in OUT["photos"]])


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
        return None
    s = []
    for _ in range(A.rounds):
        with tempfile.TemporaryDirectory() as d:
            for sub, some in (("one", files[:1]), ("all", files)):
                pathlib.Path(d, sub).mkdir()
                for f in some:
                    os.symlink(f, f"{d}/{sub}/{os.path.basename(f)}")
            pathlib.Path(env["RCLIP_DATADIR"], "db.sqlite3").unlink(missing_ok=True)
            a, b = (timed([A.rclip, "-f", "a red apple"], cwd=f"{d}/{x}", env=env) for x in ("one", "all"))
            if a is None or b is None:
                return None
            s.append((b - a) / (len(files) - 1))
    return s


# ---- from exec to the first text embedding ----

def start():
    rows = []
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
        rows.append({"model": name, "s": {k: v for k, v in s.items() if v}})
    section("start", rows)


def start_table():
    kinds = sorted({k for r in OUT["start"] for k in r["s"]}, key=lambda k: (not k.startswith("unclip"), k))
    t = ["| s | " + " | ".join(kinds) + " |", "|---|" + "---:|" * len(kinds)]
    t += [f'| {r["model"]} | ' + " | ".join(f'{med(r["s"][k]):.3f}' if k in r["s"] else "-" for k in kinds) + " |" for r in OUT["start"]]
    for r in OUT["start"]:
        us = {k: med(v) for k, v in r["s"].items() if k.startswith("unclip")}
        them = {k: med(v) for k, v in r["s"].items() if not k.startswith("unclip")}
        k, best = min(us, key=us.get), min(them, key=them.get) if them else None
        if best:
            t += ["", f'{r["model"]}: {k} {us[k]:.3f} s (goal 0.15: {"yes" if us[k] <= 0.15 else "**no**"}), {them[best] / us[k]:.1f} times faster than {best} '
                  f'(goal 20: {"yes" if them[best] / us[k] >= 20 else "**no**"}).']
    return "\n".join(t)


# ---- rank, and how things grow ----

def rank():
    env = {**os.environ, "BIN": str(A.bin), "BENCH": str(A.build / "bench"), "AID": str(A.build / "tests"), "TMPDIR": str(A.dir)}
    r = subprocess.run(["sh", HERE / "rank.sh", str(A.records), str(A.rounds)], capture_output=True, text=True, env=env)
    section("rank", [x.split("\t") for x in r.stdout.strip().split("\n")[1:]])


def rank_table():
    t = OUT["rank"]
    return "\n".join(["| " + " | ".join(t[0]) + " |", "|---|" + "---:|" * (len(t[0]) - 1)] + ["| " + " | ".join(r) + " |" for r in t[1:]])


def grow():
    g = {"batch": {}, "side": {}, "records": {}}
    for j in range(1, THREADS + 1):
        for b in (1, 2, 4, 8, 16, 32, 64):
            o = Ours(model("ViT-B-32"), "image", b, "bf16", threads=j)
            o.ready()
            g["batch"][f"{j} threads, {b}"] = med([o.ask(0) for _ in range(A.rounds)]) / b
            o.close()
    with tempfile.TemporaryDirectory(dir=A.dir) as d:
        tiny = A.dir / "tiny"
        if not (tiny / "super_res_last").exists():
            subprocess.run([aid("make_karlo"), "-t", tiny], check=True)
        for side in (64, 128, 256, 512, 1024):
            for f in (tiny / "super_res_first/config.json", tiny / "super_res_last/config.json"):
                c = json.loads(f.read_text())
                c["sample_size"] = side
                f.write_text(json.dumps(c))
            pathlib.Path(f"{d}/i").write_bytes(pack("i", image=[3, side // 4, side // 4]))
            s = [x for x in (timed_steps(tiny, f"{d}/i") for _ in range(A.rounds)) if x]
            if s:
                g["side"][str(side)] = [med([x for x, _ in s]), s[0][1]]
        with open(f"{d}/q", "wb") as f:
            subprocess.run([aid("make_records"), "-n", "1", "-s", "9", "-f", "text_embed"], stdout=f, check=True)
        for n in (1000, 10000, 100000, 1000000):
            with open(f"{d}/r", "wb") as f:
                subprocess.run([aid("make_records"), "-n", str(n), "-t", "f32"], stdout=f, check=True)
            g["records"][str(n)] = med([timed([tool("rank"), "-q", "--query", f"{d}/q", "-k", "10", "--tsv", f"{d}/r"]) for _ in range(A.rounds)])
    section("grow", g)


def timed_steps(folder, stdin):
    p = subprocess.Popen([tool("upsample"), "-m", folder, "--progress=json", "--steps", "4"], stdin=open(stdin, "rb"),
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    w, times = Watch([p]), []
    for line in p.stderr:
        if line.startswith("{") and '"step"' in line:
            times.append(time.time())
        elif not line.startswith("{"):
            log(line.strip())
    p.wait()
    w.join()
    return (med([b - a for a, b in zip(times, times[1:])]), w.each[0]) if len(times) > 2 else None


def grow_table():
    g = OUT["grow"]
    j = sorted({k.split()[0] for k in g["batch"]})
    t = ["| ViT-B/32, bf16, ms a picture | " + " | ".join(f"{x} threads" for x in j) + " |", "|---|" + "---:|" * len(j)]
    for b in sorted({int(k.split()[2]) for k in g["batch"]}):
        t.append(f"| batch {b} | " + " | ".join(f'{g["batch"][f"{x} threads, {b}"]:.2f}' for x in j) + " |")
    t += ["", "| upsample, tiny model, side | s a step | us a pixel | MiB |", "|---|---:|---:|---:|"]
    t += [f"| {s} | {v[0]:.4f} | {1e6 * v[0] / int(s) ** 2:.3f} | {v[1]:.0f} |" for s, v in g["side"].items()]
    t += ["", "| rank, records of 768 f32 | s | us a record |", "|---|---:|---:|"]
    return "\n".join(t + [f"| {n} | {s:.3f} | {1e6 * s / int(n):.2f} |" for n, s in g["records"].items()])


# ---- ----

SECTIONS = {f.__name__: f for f in (towers, accuracy, karlo, picture, photos, start, rank, grow)}
tables = {"towers": towers_table, "accuracy": accuracy_table, "karlo": karlo_table, "picture": picture_table, "picture, cached": picture_table, "photos": photos_table,
          "start": start_table, "rank": rank_table, "grow": grow_table}
PEERS = "hf-f32,hf-bf16,hfc-bf16,oc-f32,oc-bf16,ort-f32,ov-f32,ov-bf16,df-f32,df-bf16,dfc-bf16"
DF = ["df-f32", "df-bf16", "dfc-bf16"]


def report():
    print("Versions: " + ", ".join(f"{k} {v}" for k, v in sorted(OUT.get("versions", {}).items())) + ".")
    p = OUT.get("peaks", [])
    if p:
        print(f"Peaks, {THREADS} threads, median of {len(p)}: {med([x['f32'] for x in p]):.0f} GFLOP/s f32, {med([x['bf16'] for x in p]):.0f} bf16.")
    for k in tables:
        if k in OUT and (k != "picture, cached" or "picture" not in OUT):
            print(f"\n## {k}\n\n{tables[k]()}")


def main():
    global A, OUT
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("section", nargs="*", metavar="SECTION", help="default: all")
    p.add_argument("-o", "--output", type=pathlib.Path, help="JSON file of results, read and written")
    p.add_argument("-r", "--rounds", type=int, default=7)
    p.add_argument("-d", "--dir", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "unclip-peers")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    p.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    p.add_argument("--rclip", help="the rclip program")
    p.add_argument("--peers", type=lambda s: s.split(","), default=PEERS.split(","), help=PEERS)
    p.add_argument("--model", type=lambda s: s.split(","), default=["ViT-B-32", "ViT-L-14"])
    p.add_argument("--row", type=lambda s: s.split(","), help="of towers (image1, image8, text77, text8) or karlo (a stage)")
    p.add_argument("--merges", help="bpe_simple_vocab_16e6.txt.gz, for start (default: the model in the box)")
    p.add_argument("--big", type=int, default=64, help="photos of 12 megapixels")
    p.add_argument("--small", type=int, default=200, help="photos of 640 x 480")
    p.add_argument("--records", type=int, default=1000000)
    p.add_argument("--cache", action="store_true", help="picture: packed weights may be kept (they are not anonymous then)")
    p.add_argument("--report", action="store_true", help="print what is in the file, measure nothing")
    A = p.parse_args()
    A.bin = A.build / "bin"
    if A.output and A.output.exists():
        OUT = json.loads(A.output.read_text())
    if A.report:
        return report()
    OUT["machine"] = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), platform.machine())
    OUT["threads"] = THREADS
    A.dir.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(A.dir / "cache")    # of packed weights
    for s in A.section or SECTIONS:
        SECTIONS[s]()


if __name__ == "__main__":
    main()
