#!/usr/bin/env python3
"""hostile_options.py: every program with options and operands as nobody means them.

usage: tests/stress/hostile_options.py BIN SECONDS [SEED]      (programs with ASan and UBSan; BIN/../tests has the aids)

The options are those of -h, one to five of them, with values of every kind: numbers at the edges, lists, names that are directories,
devices, FIFOs and missing files, text that is not UTF-8.  Each run must end by itself within 120 s with a status of 0 to 3, say why if
it is 2, and leave the inputs as they were.  Only Python's library is used.
"""
import atexit, hashlib, os, random, re, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile

VALUES = ["", "0", "1", "-1", "2", "3", "1024", "1025", "4096", "65536", "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
          "1e308", "1e-308", "nan", "inf", "-inf", "0x10", " 1", "1 ", "1,2,3", "0.5", "0,0.5,1", ",", "1,,2", ",".join(["1"] * 3000), "1/2", "2/1", "0/0", "1/1000000",
          "none", "auto", "f32", "bf16", "c", "avx512", "random", "text", "content", "kitty", "sixel", "x" * 300, "x" * 5000, "\udcff\udcfe", "a\nb", "\x1b[2J", "%", "%d.png",
          "%i.ppm", "%b%r%s%d.jpg", "../x.png", "/", ".", "/dev/null", "/dev/full", "/dev/zero", "fifo", "missing", "missing/x", "good.clip", "text.clip", "fish.png", "labels.txt",
          "labelled.clip", "codes.clip", "p.probe", "empty", "pipe", "out", "x.npy", "image_embed=x.npy", "image_embed=good.clip", "text_embed=missing/x", "=x", "x=", "image_embed",
          "id,text", "3,3,9,9", "-1,0,5,5", "0,0,99999,99999", "0,0,0,0", "(", "(a", "^([^/]+)/", "[[:alpha:]", "{}", "a {} b {}", "openai80", "hf", "torchvision", "yes", "no", "-"]
INPUTS = ["good.clip", "text.clip", "fish.png", "labels.txt", "labelled.clip", "codes.clip", "p.probe", "tok.clip"]


def main():
    bin, seconds, seed = os.path.abspath(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    top = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    demo, aid = os.path.join(top, "examples", "emoji", "demo"), os.path.join(os.path.dirname(bin), "tests")
    r = random.Random(seed)
    work = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, work, True)
    os.chdir(work)
    os.mkfifo("fifo")
    open("empty", "w").close()
    for command in (["make_karlo", "-t", "-e", "64", "pipe"], ["make_model", "-l", "split", "tiny", "pipe"]):
        subprocess.run([os.path.join(aid, command[0]), *command[1:]], stdout=subprocess.DEVNULL, check=True)
    shutil.copytree(os.path.join(top, "examples", "emoji", "tokenizer"), "pipe/tokenizer")
    for d in ("vqgan/vq", "mindalle"):
        shutil.copytree(os.path.join(top, "tests", "golden", "dalle", d), os.path.basename(d))
    for f in ("demo/fish.png", "demo/labels.txt"):
        shutil.copy(os.path.join(top, "examples", "emoji", f), ".")

    def made(cmd, name, data=b""):
        status, out, err = hostile.run(bin, cmd, data, limit=900)
        if status != 0:
            sys.exit("hostile_options.py: %s: status %s\n%s" % (" ".join(cmd), status, err.decode(errors="replace")))
        if name:
            open(name, "wb").write(out)
        return out

    p = ["-m", "pipe"]
    text = made(["clip-embed"] + p, "text.clip", made(["clip-tok", "a red apple", "fish"], "tok.clip"))
    image = made(["clip-embed", "--keep-image=16"] + p + ["fish.png", os.path.join(demo, "star.png")], "good.clip")
    made(["rank", "--labels", "labels.txt"], "labelled.clip", made(["clip-embed"] + [os.path.join(demo, f) for f in sorted(os.listdir(demo)) if f.endswith(".png")], None))
    made(["probe", "--train", "-o", "p.probe", "labelled.clip"], None)
    made(["vq", "-m", "vq", "--side", "32", "fish.png"], "codes.clip")
    shutil.copytree(".", work + ".good", ignore=shutil.ignore_patterns("fifo"))
    atexit.register(shutil.rmtree, work + ".good", True)

    def sums():
        return {f: hashlib.sha256(open(f, "rb").read()).digest() for f in INPUTS + ["pipe/prior/config.json", "mindalle/config.yaml"]}

    # the options of each program, with the operands that its modes want
    programs = {}
    for name in sorted(os.listdir(bin)):
        if os.path.isfile(os.path.join(bin, name)) and "." not in name:
            out = made([name, "-h"], None).decode()
            programs[name] = [(m.group(1), bool(m.group(2)), bool(m.group(3))) for m in re.finditer(r"^  (?:-., |    )--([a-z0-9-]+)(\[)?(?:[= ]([A-Za-z0-9/=]+))?", out, re.M)]
    modes = {"embed-mix": ["slerp", "lerp", "diff", "mean", "sum", "pca-fit", "pca-project", "pca-reconstruct", "x"]}
    fixed = {"dalle": ["-m", "mindalle"], "vq": ["-m", "vq"], "prior": ["--steps", "1"], "decode64": ["--steps", "1"], "upsample": ["--steps", "1"], "ddim-invert": ["--steps", "2"],
             "clip-draw": ["--iterations", "2", "--strokes", "8", "--cutouts", "1", "--size", "16"]}
    long = {"clip-draw": ["iterations", "size", "best-of", "cutouts"]}    # their large values take longer than a run may
    want, end, runs, bad, count = sums(), time.time() + seconds, 0, 0, {}
    os.environ["UNCLIP_MODEL"] = "pipe"
    while time.time() < end:
        name = r.choice(sorted(programs))
        cmd = [name] + ([r.choice(modes[name])] if name in modes else []) + (fixed.get(name, []) if r.random() < 0.95 else [])
        for opt, maybe, takes in r.choices(programs[name], k=r.choice([1, 1, 2, 3, 5])):
            if opt in ("help", "version", "threads") or opt in long.get(name, []):
                continue
            value = r.choice(VALUES)
            cmd.append("--" + opt + ("=" + value if takes and not (maybe and r.random() < 0.4) else ""))
        cmd += r.choices(INPUTS + ["missing", "empty", "-", "", ".", "/dev/null", "pipe"] + ["good.clip"] * 4, k=r.choice([0, 0, 1, 1, 2, 3]))
        cmd = [os.fsencode(x) for x in cmd]
        feed = r.choice([b"", text, image, open("tok.clip", "rb").read(), open("codes.clip", "rb").read(), b"a line\n"])
        # a FIFO waits for its other end: both are held open
        fd = os.open("fifo", os.O_RDWR | os.O_NONBLOCK)
        status, out, err = hostile.run(bin, [os.fsdecode(c) for c in cmd], feed, limit=10 if any(b"fifo" in c for c in cmd) else 120)
        os.close(fd)
        runs += 1
        count[name] = count.get(name, 0) + 1
        wrong = status not in (0, 1, 2, 3) or b"runtime error" in err or b"Sanitizer" in err or (status == 2 and not err)
        if status in ("timeout", -24, -9) and any(re.search(rb"fifo|/dev/zero|/dev/full|^--(count|iterations|steps|best-of|size|strokes|cutouts|resample|frames)=", c)
                                                          for c in cmd):
            wrong = False                                     # nobody ends them, or much was asked for
        changed = [f for f, s in sums().items() if want[f] != s] if all(os.path.isfile(f) for f in want) else ["gone"]
        # a file that is only named as an output may be replaced
        read = [c for c in cmd if not re.match(rb"--(output|label-cache|npy|ids)=", c)]
        replaced = [f for f in changed if not any(f.encode() in c for c in read)]
        if wrong or len(changed) > len(replaced):
            print("hostile_options.py: %r: status %s, changed %s\n%s" % (cmd, status, changed, err.decode(errors="replace")[-2500:]), flush=True)
            bad += 1
        for f in os.listdir("."):
            if not os.path.exists(os.path.join(work + ".good", f)) and f != "fifo":
                shutil.rmtree(f, True) if os.path.isdir(f) else os.remove(f)
        if changed:
            shutil.copytree(work + ".good", ".", dirs_exist_ok=True)
    print("hostile options: seed %d, %d runs, %d found; %s" % (seed, runs, bad, ", ".join("%s %d" % x for x in sorted(count.items()))))
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
