"""run.py: what the runs of prior, decoder and upsampler share: options, checkpoints, the log and the clock.

The schedule follows the time spent, so that a shared or slow machine still ends on a cooled-down model; a step that was
held up counts for 30 seconds at most.  With --until the clock on the wall counts.  A run that was stopped goes on from RUN/last.pt.

Under torchrun (torchrun --nproc-per-node 2 train_decoder.py ...) each process learns from batches of its own, and every
EVERY steps they take the mean of their weights (local SGD, Stich 2018): on a machine with other work, two processes of
one thread lose less than one of two, which meet at every layer.
"""
import argparse
import itertools
import json
import os
import pathlib
import time

import numpy as np
import torch
import torch.distributed as dist

import diffusion

RANK, WORLD = (int(os.environ.get(n, v)) for n, v in (("RANK", 0), ("WORLD_SIZE", 1)))
EVERY = 8


def options(*folders, **defaults):
    """Positional arguments, then options with their defaults (a tuple is a default and its help)."""
    ap = argparse.ArgumentParser()
    for f in folders:
        ap.add_argument(f)
    shared = dict(lr=1e-3, muon=2e-3, threads=1, seed=1, warm=(100, "steps until the step size is full"), device=("cuda" if torch.cuda.is_available() else "cpu", ""),
                  bf16=(-1, "1: bfloat16, 0: float32, -1: what is faster here"), until=(0.0, "seconds since 1970 at which to end, in the place of --minutes"),
                  save=(180.0, "seconds between checkpoints"), sheet=(0.0, "minutes between sheets of samples, RUN/sheet-STEP.png; 0: none"),
                  shown=(32, "pictures on such a sheet"),
                  workers=(0, "processes that make batches"), compile=(0, "1: by torch.compile"))
    for name, d in {**defaults, **shared}.items():
        value, text = d if isinstance(d, tuple) else (d, None)
        ap.add_argument("--" + name, type=type(value), default=value, help=text)
    a = ap.parse_args()
    if WORLD > 1:
        dist.init_process_group("gloo")
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    if a.bf16 < 0:
        a.bf16 = int(a.device != "cpu" or fast_bf16())
    pathlib.Path(a.run).mkdir(parents=True, exist_ok=True)
    return a


def fast_bf16():
    """Whether this CPU multiplies bfloat16; one that does not needs twelve times as long as for float32."""
    try:
        return any(f in pathlib.Path("/proc/cpuinfo").read_text() for f in ("avx512_bf16", "amx_bf16"))
    except OSError:
        return False


def amp(a):
    return torch.autocast(a.device, torch.bfloat16, enabled=bool(a.bf16))


def batches(plan, args, first):
    """plan(rng of a step) of step first and those after it, made by --workers processes where there are any."""
    class Steps(torch.utils.data.IterableDataset):
        def __iter__(self):
            info = torch.utils.data.get_worker_info()
            k, n = (info.id, info.num_workers) if info else (0, 1)
            if info:
                torch.set_num_threads(1)
            for step in itertools.count(first + k, n):
                yield plan(np.random.default_rng([args.seed, step, *[RANK] * (RANK > 0)]))
    return iter(torch.utils.data.DataLoader(Steps(), batch_size=None, collate_fn=lambda x: x, num_workers=args.workers, prefetch_factor=4 if args.workers else None))


def write_sheet(x, path, columns=8):
    """Pictures [N,3,S,S], -1 to 1, in rows."""
    from PIL import Image
    n, _, s, _ = x.shape
    rows = -(-n // columns)
    a = np.full((rows * columns, s, s, 3), 255, dtype=np.uint8)
    a[:n] = (127.5 * (x.float().cpu().clamp(-1, 1) + 1)).round().permute(0, 2, 3, 1).byte().numpy()
    Image.fromarray(a.reshape(rows, columns, s, s, 3).transpose(0, 2, 1, 3, 4).reshape(rows * s, columns * s, 3)).save(path)


class Run:
    def __init__(self, args, net, columns, decay=0.999):
        """columns: what step() is given, in the order of the log.  The net may hold weights to start from."""
        self.args, self.net, self.folder = args, net, pathlib.Path(args.run)
        self.opt, self.ema = diffusion.Optimizer(net, args.lr, args.muon), diffusion.Average(net, decay)
        self.number, self.spent, self.mean, self.ended = 0, 0.0, None, time.time()
        last = self.folder / "last.pt"
        if last.exists():
            s = torch.load(last, map_location=args.device)
            net.load_state_dict(s["net"])
            self.opt.load_state_dict(s["opt"])
            self.ema.p, self.ema.n, self.number, self.spent = s["ema"], s["n"], s["step"], s["spent"]
            print("going on from step", self.number, flush=True)
        self.log = open(self.folder / "loss.tsv" if RANK == 0 else os.devnull, "a")
        if RANK == 0 and self.log.tell() == 0:
            self.log.write("\t".join(["step", "minutes", *columns]) + "\n")
        self.saved = self.drawn = time.time()
        self.total = max(1e-9, self.spent + args.until - time.time()) if args.until else 60 * args.minutes

    def rng(self, *more):
        """The generator of this step's batch."""
        return np.random.default_rng([self.args.seed, *more, self.number, *[RANK] * (RANK > 0)])

    def save(self):
        if RANK:
            return
        torch.save(dict(net=self.net.state_dict(), opt=self.opt.state_dict(), ema=self.ema.p, n=self.ema.n, step=self.number, spent=self.spent,
                        args=vars(self.args)), self.folder / "new.pt")
        os.replace(self.folder / "new.pt", self.folder / "last.pt")

    def steps(self, cooldown):
        """Yields the progress, 0 to 1, before each step; the last part, cooldown, takes the step size down to a hundredth."""
        while (progress := self.spent / self.total if self.total > 1e-9 else 1) < 1 or WORLD > 1 and self.number % EVERY:
            self.began = time.time()
            self.rate = min(1.0, (self.number + 1) / self.args.warm) * min(1.0, max(0.01, (1 - progress) / cooldown))
            yield progress
            if time.time() - self.saved > self.args.save:
                self.save()
                self.saved = time.time()
        self.save()
        if RANK:
            return
        json.dump(dict(step=self.number, minutes=self.spent / 60, args=vars(self.args)), open(self.folder / "done.json", "w"), indent=1)

    def step(self, *losses):
        """After backward."""
        self.opt.step(self.rate)
        self.ema.step(self.net)
        self.number += 1
        self.spent += time.time() - self.ended if self.args.until else min(time.time() - self.began, 30)
        self.ended = time.time()
        if WORLD > 1 and self.number % EVERY == 0:
            self.meet()
        now = np.array(losses)
        self.mean = now if self.mean is None else 0.97 * self.mean + 0.03 * now

    def sheet(self, draw):
        """Where it is time for one: RUN/sheet-STEP.png of the pictures [N,3,S,S], -1 to 1, that draw() makes with the averaged weights."""
        if RANK or not self.args.sheet or time.time() - self.drawn < 60 * self.args.sheet:
            return
        self.ema.swap(self.net)
        x = draw()
        self.ema.swap(self.net)
        write_sheet(x, self.folder / f"sheet-{self.number:06}.png")
        self.drawn = time.time()

    def end(self, draw):
        """The last sheet."""
        if self.args.sheet:
            self.drawn = 0
            self.sheet(draw)

    @torch.no_grad()
    def meet(self):
        """The weights and their moving averages become the mean over all processes; they go by the first one's clock."""
        every = [p.data for p in self.net.parameters()] + self.ema.p
        flat = torch.cat([v.flatten() for v in every] + [torch.tensor([self.spent * WORLD if RANK == 0 else 0.0])])
        dist.all_reduce(flat)
        flat /= WORLD
        for v, f in zip(every, flat.split([v.numel() for v in every] + [1])):
            v.copy_(f.view_as(v))
        self.spent = flat[-1].item()

    def report(self, *more):
        row = "\t".join([str(self.number), f"{self.spent / 60:.2f}", *(v if isinstance(v, str) else f"{v:.5f}" for v in more)])
        self.log.write(row + "\n")
        self.log.flush()
        if RANK == 0:
            print(row, f"{time.time() - self.began:.2f}s/step", flush=True)
