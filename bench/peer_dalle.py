#!/usr/bin/env python3
"""peer_dalle.py [--bin DIR] [--side S] [--candidates LIST] [--rounds N] MODEL FOLDER: dalle next to the PyTorch original

MODEL is mini or mega (min-dalle 0.4.11, pip) or malevich (rudalle 1.1.3).  FOLDER gets the model at full size with random
weights in f16, made by the packages' own classes, unless it is there; dalle keeps its packed weights in FOLDER/cache.
--side S makes a Malevich of S x S tokens (32): the same matrices, fewer tokens a picture.
Both draw pictures of one text, in turns.  Of min-dalle the decoder is timed for --tokens tokens, each of which costs the
same, with the text's states given; of rudalle generate_images' loop for a whole picture.  Of dalle: a run with N candidates
less one without any record.  Prints, for each number of candidates, medians of wall and CPU seconds a token and a picture,
and the peak memory.  Needs torch, and pip install --no-deps min-dalle rudalle.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--bin", default=str(HERE / "build/bin"))
p.add_argument("--side", type=int, default=32)
p.add_argument("--candidates", default="1,8,16")
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--tokens", type=int, default=16)
p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
p.add_argument("--peer", type=int, help=argparse.SUPPRESS)    # candidates: this process is the peer
p.add_argument("model", choices=["mini", "mega", "malevich"])
p.add_argument("folder", type=pathlib.Path)
A = p.parse_args()
SIZES = {"mini": (1024, 12, 16, 2730, 50264, 16384), "mega": (2048, 24, 32, 4096, 50272, 16415)}
TOKENS = 256 if A.model != "malevich" else A.side ** 2


# ---- networks ----

def rudalle():
    """The class alone: the package's __init__ imports what generate_images and its other networks need."""
    import importlib, types
    for name in ("rudalle", "rudalle.dalle"):
        m = types.ModuleType(name)
        m.__path__ = [os.path.join(d, *name.split(".")) for d in sys.path if os.path.isdir(os.path.join(d, *name.split(".")))]
        sys.modules[name] = m
    return importlib.import_module("rudalle.dalle.model").DalleModel(
        "cpu", num_layers=24, hidden_size=2048, num_attention_heads=16, embedding_dropout_prob=0.1, output_dropout_prob=0.1,
        attention_dropout_prob=0.1, image_tokens_per_dim=A.side, text_seq_length=128, cogview_sandwich_layernorm=True,
        cogview_pb_relax=True, vocab_size=16384 + 128, image_vocab_size=8192)


def bart(half):
    import importlib, importlib.util
    d, layers, heads, glu, words, codes = SIZES[A.model]
    spec = importlib.util.find_spec("min_dalle")
    sys.modules["min_dalle"] = importlib.util.module_from_spec(spec)    # without its __init__, which needs a network
    m = importlib.import_module(f"min_dalle.models.dalle_bart_{half}")
    if half == "encoder":
        return m.DalleBartEncoder(layer_count=layers, embed_count=d, attention_head_count=heads, text_vocab_count=words, text_token_count=64,
                                  glu_embed_count=glu, device="cpu")
    return m.DalleBartDecoder(image_vocab_count=codes, embed_count=d, attention_head_count=heads, glu_embed_count=glu, layer_count=layers, device="cpu")


def make():
    import torch
    golden, d = HERE / "tests/golden/dalle", A.folder
    (d / "cache").mkdir(parents=True)
    torch.manual_seed(1)
    if A.model == "malevich":
        w = rudalle().half().state_dict()
        torch.save(w, d / "pytorch_model_v3.bin")
        (d / "config.json").write_text(json.dumps({"hf_version": "v3", "num_attention_heads": 16}))
        (d / "bpe.model").write_bytes((golden / "rudalle/bpe.model").read_bytes())
        return
    heads = SIZES[A.model][2]
    for half in ("encoder", "decoder"):
        torch.save(bart(half).half().state_dict(), d / f"{half}.pt")
    (d / "config.json").write_text(json.dumps({"encoder_attention_heads": heads, "decoder_attention_heads": heads, "decoder_start_token_id": 16384}))
    for f in ("vocab.json", "merges.txt"):
        (d / f).write_bytes((golden / "dallemini" / f).read_bytes())


# ---- the peer, in a process of its own ----

def steps_of_bart(torch, n):
    d, layers = SIZES[A.model][:2]
    net = bart("decoder")
    net.load_state_dict(torch.load(A.folder / "decoder.pt", mmap=True))
    net = net.float().eval()
    mask = torch.ones(2 * n, 1, 1, 64, dtype=torch.bool)
    states = torch.randn(1, 64, d).repeat(2 * n, 1, 1)
    past = torch.zeros(layers, 4 * n, 256, d)
    tokens = torch.full((n, 257), 2 ** 14 - 1)
    settings = torch.tensor([1.0, 256, 16])
    index = torch.arange(256)
    yield
    for i in range(2 + A.tokens):
        tokens[:, i + 1], past = net.sample_tokens(settings=settings, attention_mask=mask, encoder_state=states, attention_state=past,
                                                   prev_tokens=tokens[:, [i]], token_index=index[[i]])
        yield


def steps_of_rudalle(torch, n):
    net = rudalle()
    net.load_state_dict(torch.load(A.folder / "pytorch_model_v3.bin", mmap=True))
    net = net.float().eval()
    total = 128 + A.side ** 2
    mask = torch.tril(torch.ones((n, 1, total, total)))
    out = torch.cat((torch.tensor([2, 5, 6, 7, 3]), torch.zeros(123, dtype=torch.long))).repeat(n, 1)
    cache = None
    yield
    for _ in range(A.side ** 2):
        logits, cache = net(out, mask, use_cache=True, cache=cache, return_loss=False)
        logits = logits[:, -1, 16384 + 128:]
        kept = torch.topk(logits, 2048)[0][:, [-1]]    # top_k_top_p_filtering
        probs = torch.softmax(logits.masked_fill(logits < kept, -float("inf")), -1)
        out = torch.cat((out, torch.multinomial(probs, 1)), -1)
        yield


def peer(n):
    import torch
    torch.set_num_threads(A.threads)
    torch.set_grad_enabled(False)
    steps = (steps_of_rudalle if A.model == "malevich" else steps_of_bart)(torch, n)
    next(steps)
    first = 0 if A.model == "malevich" else 2
    for _ in range(first):
        next(steps)
    begin = time.perf_counter(), time.process_time()
    count = sum(1 for _ in steps)
    wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    print(json.dumps([wall / count, cpu / count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


# ---- both ----

def ours(n):
    env = dict(os.environ, UNCLIP_MODEL=str(A.folder))
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = subprocess.Popen([f"{A.bin}/dalle", "-q", "-j", str(A.threads), "-b", "16", "-n", str(max(n, 1)), "--cache", str(A.folder / "cache")],
                           env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    run.stdin.write(subprocess.run([f"{A.bin}/clip-tok", "-m", str(A.folder), "a red cat"], stdout=subprocess.PIPE, check=True).stdout if n else b"")
    run.stdin.close()
    anon = 0
    while run.poll() is None:
        try:
            with open(f"/proc/{run.pid}/status") as f:
                anon = max([anon] + [int(x.split()[1]) for x in f if x.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.02)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode:
        sys.exit(f"dalle: status {run.returncode}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, anon / 1024


def ask_peer(n):
    out = subprocess.run([sys.executable, __file__, "--peer", str(n), "--side", str(A.side), "--tokens", str(A.tokens), "--threads", str(A.threads),
                          A.model, str(A.folder)], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def main():
    if not A.folder.exists():
        make()
    ours(1)    # packs the weights
    print(f"{A.model}, {TOKENS} tokens a picture, {A.threads} threads, {A.rounds} rounds, load {os.getloadavg()[0]:.0f}")
    for n in map(int, A.candidates.split(",")):
        start = [ours(0) for _ in range(A.rounds)]
        got, other = [], []
        for _ in range(A.rounds):
            got.append(ours(n))
            other.append(ask_peer(n))
        wall, cpu = (statistics.median(g[i] for g in got) - statistics.median(s[i] for s in start) for i in (0, 1))
        pwall, pcpu = (statistics.median(o[i] for o in other) * TOKENS for i in (0, 1))
        print(f"{n:3} candidates: dalle {wall / n:8.2f} s a picture, CPU {cpu / n:8.2f} s, {max(g[2] for g in got):6.0f} MiB; "
              f"PyTorch {pwall / n:8.2f} s, CPU {pcpu / n:8.2f} s, {max(o[2] for o in other):6.0f} MiB; ratio {pwall / wall:.2f}, CPU {pcpu / cpu:.2f}; "
              f"a step: {1000 * wall / TOKENS:.1f} ms, CPU {1000 * cpu / TOKENS:.1f} ms", flush=True)


if A.peer:
    peer(A.peer)
else:
    main()
