"""data.py: batches of (picture, caption), made on the fly.

A batch holds single things, pairs of one thing that differ in style, background
or size and say so, and pairs of two things side by side with the places swapped.
Apart from those pairs no thing is met twice without being masked out.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import captions
import catalog

OPENAI = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
MEAN, STD = (torch.tensor(v).view(1, 3, 1, 1) for v in OPENAI)
INK = ("black fluent", "black emojione")  # one-colour drawings: the ink may take any colour
PLAIN = ["white"] * 6 + list(captions.COLOURS)
NO_MIRROR = ("left", "right", "clockwise", "facing", "hand", "fist", "finger", "number", "o'clock", "thirty", "moon", "input", "letter", "sagittarius")


class Cache:
    def __init__(self, cache):
        cache = pathlib.Path(cache)
        j = json.load(open(cache / "train.json"))
        self.things = j["things"]
        self.rgba = np.load(cache / "train.npy", mmap_mode="r")
        self.of = [[] for _ in self.things]  # pictures of each thing
        self.style = [s for _, s in j["pictures"]]
        for row, (i, s) in enumerate(j["pictures"]):
            t = self.things[i]
            coloured = t["group"] == "Flags" or captions.COLOUR_WORDS & set(t["name"].split())
            if not (s in INK and coloured):  # a red heart drawn in black ink is no red heart
                self.of[i].append(row)
        w = []
        for t in self.things:
            x = 1.0
            if t["group"] == "People & Body" and t["name"].split()[0] in ("man", "woman", "family", "couple", "kiss"):
                x = 0.3  # many near-copies
            if t["subgroup"] == "country-flag":
                x = 0.3
            w.append(x)
        self.p = np.array(w) / sum(w)


def colour_of(rng, name):
    c = np.array(captions.COLOURS[name], dtype=np.float32)
    return np.clip(c + rng.normal(0, 5 if name in ("white", "black") else 10, 3), 0, 255) if rng.random() < 0.7 else c


def ground(rng, force=False):
    """(name or None, first colour, second colour or None for a gradient)."""
    r = rng.random()
    if r < 0.80 or force:
        name = PLAIN[rng.integers(len(PLAIN))] if not force else list(captions.COLOURS)[rng.integers(len(captions.COLOURS))]
        return name, colour_of(rng, name), None
    a = rng.uniform(0, 255, 3)
    return None, a, rng.uniform(0, 255, 3) if r > 0.92 else None


class Maker:
    """Collects one batch: layers to paint and the texts, then paints all pictures at once."""

    def __init__(self, cache, tok):
        self.c, self.tok = cache, tok

    def start(self):
        self.rows, self.canvas, self.place, self.ink, self.hue = [], [], [], [], []
        self.grounds, self.texts, self.members, self.pair, self.sure = [], [], [], [], []

    def paint_one(self, rng, row, thing, n, cx, cy, s, g):
        self.rows.append(row)
        self.canvas.append(n)
        t = self.c.things[thing]
        flip = -1.0 if s > 0.6 and t["group"] not in ("Flags", "Symbols") and rng.random() < 0.2 and not any(w in t["name"] for w in NO_MIRROR) else 1.0
        a = rng.normal(0, 8) if rng.random() < 0.6 else 0.0
        if rng.random() < 0.1:
            a = rng.normal(0, 15)
        self.place.append((cx, cy, s * np.exp(rng.normal(0, 0.1)) * flip, s * np.exp(rng.normal(0, 0.1)), np.deg2rad(a)))
        dark = g[1].mean() < 110
        self.ink.append(rng.uniform(170, 255, 3) if dark else rng.uniform(0, 90, 3)) if self.c.style[row] in INK else self.ink.append(None)
        self.hue.append(not (t["group"] == "Flags" or captions.COLOUR_WORDS & set(t["name"].split())))

    def add(self, text, things, pair, sure, g):
        self.texts.append(self.tok.encode(text, plain=True))
        self.members.append(things)
        self.pair.append(pair)
        self.sure.append(sure)
        self.grounds.append(g)

    def solo_item(self, rng, i, row=None, g=None, size=None, must=None, pair=0):
        c = self.c
        row = row if row is not None else c.of[i][rng.integers(len(c.of[i]))]
        g = g or ground(rng)
        if size is None:
            r = rng.random()
            s = rng.uniform(0.8, 1.08) if r < 0.65 else rng.uniform(0.52, 0.8) if r < 0.9 else rng.uniform(0.34, 0.5)
        else:
            s = rng.uniform(0.34, 0.48) if size == "small" else rng.uniform(0.92, 1.1)
        size = "small" if s < 0.5 else "large" if s > 0.92 else None
        room = max(0.0, 1 - s) * 0.8
        n = len(self.texts)
        self.paint_one(rng, row, i, n, rng.uniform(-room, room), rng.uniform(-room, room), s, g)
        says = size if size == "small" or must == "size" or rng.random() < 0.1 else None
        text, sure = captions.single(rng, c.things[i], c.style[row].replace("black ", "black and white "), g[0], says, must)
        self.add(text, [i], pair, sure, g)

    def double_item(self, rng, a, b, where, pair, must, rows, g):
        n = len(self.texts)
        s1, s2 = rng.uniform(0.4, 0.52, 2)
        d = rng.uniform(0.42, 0.52)
        j1, j2 = rng.uniform(-0.25, 0.25, 2)
        p = [(-d, j1), (d, j2)] if where == "left" else [(j1, -d), (j2, d)]
        for t, row, (x, y), s in ((a, rows[0], p[0], s1), (b, rows[1], p[1], s2)):
            self.paint_one(rng, row, t, n, x, y, s, g)
        self.add(captions.double(rng, self.c.things[a], self.c.things[b], where, must), [a, b], pair, False, g)

    def batch(self, rng, size):
        self.start()
        c = self.c
        pairs, swaps, doubles = size // 16, size // 32, size // 16
        things = rng.choice(len(c.things), size, replace=False, p=c.p)
        take = iter(things)
        number = 1
        for _ in range(pairs):
            i = int(next(take))
            kind = ("style", "colour", "size")[rng.choice(3, p=[0.25, 0.5, 0.25])]
            if kind == "style":
                two = rng.choice(c.of[i], 2, replace=len(c.of[i]) < 2)
                for row in two:
                    self.solo_item(rng, i, int(row), must="style", pair=number)
            elif kind == "colour":
                g1, g2 = ground(rng, True), ground(rng, True)
                row = c.of[i][rng.integers(len(c.of[i]))]
                number = number if g1[0] != g2[0] else 0
                for g in (g1, g2):
                    self.solo_item(rng, i, row, g=g, must="colour", pair=number or -1)
            else:
                row = c.of[i][rng.integers(len(c.of[i]))]
                for s in ("small", "large"):
                    self.solo_item(rng, i, row, size=s, must="size", pair=number)
            number = len(self.texts) + 1
        for k in range(swaps + doubles):
            a, b = int(next(take)), int(next(take))
            where = "left" if rng.random() < 0.7 else "above"
            rows = [c.of[t][rng.integers(len(c.of[t]))] for t in (a, b)]
            g = ground(rng)
            self.double_item(rng, a, b, where, number, k < swaps, rows, g)
            if k < swaps:
                self.double_item(rng, b, a, where, number, True, rows[::-1], g)
            number = len(self.texts) + 1
        while len(self.texts) < size:
            self.solo_item(rng, int(next(take)))
        return self.finish(rng)

    def finish(self, rng):
        n = len(self.texts)
        px = paint(rng, n, self.c.rgba[self.rows], self.canvas, self.place, self.ink, self.hue, self.grounds)
        t = max(len(x) for x in self.texts)
        assert t <= 48, t
        ids = torch.zeros(n, t, dtype=torch.long)
        for i, x in enumerate(self.texts):
            ids[i, : len(x)] = torch.tensor(x)
        first = np.array([m[0] for m in self.members])
        last = np.array([m[-1] for m in self.members])
        same = (first[:, None] == first) | (first[:, None] == last) | (last[:, None] == first) | (last[:, None] == last)
        pair = np.array(self.pair)
        hard = (pair[:, None] == pair) & (pair > 0)[:, None]
        hide = same & ~hard & ~np.eye(n, dtype=bool)
        solo = np.array([len(m) == 1 for m in self.members])
        return px, ids, torch.from_numpy(hide), torch.from_numpy(first), torch.from_numpy(solo), torch.from_numpy(np.array(self.sure))


def paint(rng, n, rgba, canvas, place, ink, hue, grounds, size=64):
    """All pictures of a batch: layers jittered, turned, laid over their backgrounds.  Returns [n,3,64,64] in 0..255."""
    m = len(rgba)
    x = torch.from_numpy(np.ascontiguousarray(rgba)).permute(0, 3, 1, 2).float()
    rgb, al = x[:, :3], x[:, 3:] / 255
    for i, c in enumerate(ink):
        if c is not None:
            rgb[i] = torch.from_numpy(np.asarray(c, dtype=np.float32)).view(3, 1, 1)
    u = torch.from_numpy(rng.uniform(-1, 1, (8, m, 1, 1, 1)).astype(np.float32))
    r = torch.from_numpy(rng.random((4, m, 1, 1, 1)).astype(np.float32))
    loose = torch.tensor([2.0 if h else 1.0 for h in hue]).view(m, 1, 1, 1)
    gray = rgb.mean(1, keepdim=True)
    sat = 1 + u[0] * 0.15 * loose
    sat = torch.where((r[0] < 0.05) & (loose > 1), torch.zeros_like(sat), sat)  # now and then no colour at all
    rgb = (rgb - gray) * sat + gray
    rgb = (rgb - 128) * (1 + u[1] * 0.15) + 128 + u[2] * 12
    rgb = rgb * (1 + torch.cat((u[3], u[4], u[5]), 1) * (0.15 * loose - 0.1))
    # now and then a dark rim around the whole drawing
    rim = (r[1] < 0.2).flatten().nonzero().flatten()
    if len(rim):
        k = 3 if rng.random() < 0.5 else 5
        a0 = al[rim]
        a1 = F.max_pool2d(a0, k, 1, k // 2)
        rgb[rim] = rgb[rim] * a0 / a1.clamp_min(1e-3) + 20 * (1 - a0 / a1.clamp_min(1e-3))
        al = al.clone()
        al[rim] = a1
    pre = torch.cat((rgb.clamp(0, 255) * al, al), 1)
    p = torch.tensor(np.array(place, dtype=np.float32))
    cx, cy, sx, sy, an = p.unbind(1)
    co, si = torch.cos(an), torch.sin(an)
    theta = torch.stack((torch.stack((co / sx, si / sx, -(co * cx + si * cy) / sx), 1), torch.stack((-si / sy, co / sy, (si * cx - co * cy) / sy), 1)), 1)
    lay = torch.empty(m, 4, size, size)
    big = torch.minimum(sx.abs(), sy) > 0.62
    for sel, src in ((big, None), (~big, "half")):
        k = sel.nonzero().flatten()
        if len(k):
            s = pre[k] if src is None else F.avg_pool2d(pre[k], 2)  # half size first where it is shrunk much
            lay[k] = F.grid_sample(s, F.affine_grid(theta[k], (len(k), 4, size, size), align_corners=False), mode="bilinear", align_corners=False)
    out = torch.empty(n, 3, size, size)
    ramp = torch.linspace(0, 1, size)
    for i, (_, a, b) in enumerate(grounds):
        a = torch.tensor(np.asarray(a, dtype=np.float32)).view(3, 1, 1)
        if b is None:
            out[i] = a
        else:
            b = torch.tensor(np.asarray(b, dtype=np.float32)).view(3, 1, 1)
            t = ramp.view(1, 1, size) if rng.random() < 0.5 else ramp.view(1, size, 1)
            out[i] = a + (b - a) * t
    ci, firsts, seconds, seen = torch.tensor(canvas), [], [], set()
    for j, c in enumerate(canvas):
        (seconds if c in seen else firsts).append(j)
        seen.add(c)
    for k in (firsts, seconds):
        if k:
            k = torch.tensor(k)
            out[ci[k]] = lay[k, :3] + out[ci[k]] * (1 - lay[k, 3:])
    soft = (torch.from_numpy(rng.random(n)) < 0.12).nonzero().flatten()
    if len(soft):
        out[soft] = F.avg_pool2d(F.pad(out[soft], (1, 1, 1, 1), mode="replicate"), 3, 1)
    noisy = (torch.from_numpy(rng.random(n)) < 0.08).nonzero().flatten()
    if len(noisy):
        out[noisy] += torch.from_numpy(rng.normal(0, 8, (len(noisy), 3, size, size)).astype(np.float32))
    return out.clamp(0, 255).round()


def normalise(px):
    return (px / 255 - MEAN.to(px.device)) / STD.to(px.device)


STYLES = ("noto", "twemoji", "flat fluent", "emojione")  # what the decoder learns to draw


class Scenes:
    """Pictures for prior, decoder and upsampler: the drawings as they are, on plain backgrounds, with captions that are true.

    A share of the pictures show one of the chosen things, large, upright and in the middle, and say all that the picture has;
    the others are what the drawings and captions.single allow, two things side by side among them."""

    def __init__(self, cache, chosen="", large="", share=0.9, favour=0.0, styles=1):
        """large: "large" or "huge", for the drawings of 256 or 1024 pixels; chosen: a list as catalog.FIRST, or "" for none; share: theirs of the pictures; favour: how much of
        that is for catalog.NAMING above its due; styles: how many of catalog.FLAT chosen things have, half of the time the first."""
        cache = pathlib.Path(cache)
        self.things = json.load(open(cache / "train.json"))["things"]
        name = large or "train"
        self.rgba = np.load(cache / f"{name}.npy", mmap_mode="r")
        self.of, self.style = [[] for _ in self.things], {}
        for row, (i, s) in enumerate(json.load(open(cache / f"{name}.json"))["pictures"]):
            if s in STYLES:
                self.of[i].append(row)
                self.style[row] = s
        self.said = catalog.chosen(self.things, chosen)
        self.first, self.favour = list(catalog.chosen(self.things, catalog.NAMING)), favour
        self.few, self.share, self.flat = list(self.said), share if self.said else 0.0, catalog.FLAT[:styles]
        taken = {w for v in self.said.values() for w in v}
        w = []
        for i, t in enumerate(self.things):
            near = t["subgroup"] == "country-flag" or t["group"] == "People & Body" and t["name"].split()[0] in ("man", "woman", "family", "couple", "kiss")
            other = t["name"] in taken and i not in self.said  # the whole cat, where "cat" is said of the face
            w.append(0.0 if not self.of[i] or other else 0.2 if near or t["subgroup"] == "time" else 1.0)
        self.p = np.array(w) / sum(w)

    def drawing(self, i, style):
        """The row of a thing's drawing in a style, or another one if there is none."""
        return next((r for r in self.of[i] if self.style[r] == style), self.of[i][0])

    def plan(self, rng, n, doubles=0.15):
        """Which layers a batch has: (row, canvas, x, y, size, tilt) each; the grounds; the captions."""
        layers, grounds, texts = [], [], []

        def put(i, k, x, y, s):
            layers.append((self.of[i][rng.integers(len(self.of[i]))], k, x, y, s, np.deg2rad(rng.normal(0, 6)) if rng.random() < 0.15 else 0.0))

        for k in range(n):
            few = self.share > 0 and rng.random() < self.share
            colour = "white" if rng.random() < (0.6 if few else 0.45) else list(captions.COLOURS)[rng.integers(len(captions.COLOURS))]
            grounds.append(captions.COLOURS[colour])
            if few:
                of = self.first if rng.random() < self.favour else self.few
                i = of[rng.integers(len(of))]
                row = self.drawing(i, self.flat[rng.integers(len(self.flat)) if len(self.flat) > 1 and rng.random() < 0.75 else 0])
                layers.append((row, k, *rng.uniform(-0.015, 0.015, 2), rng.uniform(0.9, 0.94), 0.0))
                style = self.style[row] if self.style[row] != catalog.FLAT[0] or rng.random() < 0.03 else None
                texts.append(captions.plain(rng, self.said[i], style, colour if colour != "white" or rng.random() < 0.05 else None))
                continue
            a, b = (int(v) for v in rng.choice(len(self.things), 2, replace=False, p=self.p))
            if rng.random() < doubles:
                where = "left" if rng.random() < 0.75 else "above"
                d, j = rng.uniform(0.45, 0.5), rng.uniform(-0.1, 0.1, 2)
                for t, side, o in ((a, -d, j[0]), (b, d, j[1])):
                    put(t, k, *((side, o) if where == "left" else (o, side)), rng.uniform(0.44, 0.5))
                texts.append(captions.double(rng, self.things[a], self.things[b], where, rng.random() < 0.5))
                continue
            small = rng.random() < 0.08
            s = rng.uniform(0.4, 0.5) if small else rng.uniform(0.82, 1.0)
            room = (1 - s) * 0.6
            put(a, k, rng.uniform(-room, room), rng.uniform(-room, room), s)
            says = "small" if small else "large" if s > 0.95 and rng.random() < 0.15 else None
            style = self.style[layers[-1][0]]
            ask = "style" if self.said and style != catalog.FLAT[0] else "colour" if colour != "white" and (self.said or rng.random() < 0.4) else None
            texts.append(captions.single(rng, self.things[a], style, colour, says, ask)[0])
        return layers, grounds, texts

    def pixels(self, device):
        """A function that gives the drawings of layers, uint8 on the device; all of them are kept on one that is not a CPU."""
        if device == "cpu":
            return lambda layers: torch.from_numpy(np.ascontiguousarray(self.rgba[[v[0] for v in layers]]))
        kept = torch.from_numpy(np.ascontiguousarray(self.rgba[: 1 + max(self.style)])).to(device)
        return lambda layers: kept[torch.tensor([v[0] for v in layers], device=device)]

    def canvases(self, rng, n, size):
        """n scenes of which only windows are painted, one after another."""
        layers, grounds, _ = self.plan(rng, n)
        for k in range(n):
            mine = [v for v in layers if v[1] == k]
            yield Canvas(self.pixels("cpu")(mine), mine, grounds[k], size)

    def batch(self, rng, n, size=64, doubles=0.15, device="cpu"):
        """Pictures [n,3,size,size] in 0..255 on the device, and their captions."""
        layers, grounds, texts = self.plan(rng, n, doubles)
        return compose(self.pixels("cpu")(layers).to(device), layers, grounds, size), texts


def premultiplied(rgba):
    """[m,h,w,4], uint8, straight alpha, to [m,4,h,w], float."""
    x = rgba.permute(0, 3, 1, 2).float()
    return torch.cat((x[:, :3] * x[:, 3:] / 255, x[:, 3:] / 255), 1)


def affine(layers, device):
    """Where on a layer each place of its canvas lies: [m,2,3], coordinates from -1 to 1; and the sizes."""
    cx, cy, s, an = torch.tensor([v[2:] for v in layers], dtype=torch.float32, device=device).unbind(1)
    co, si = torch.cos(an) / s, torch.sin(an) / s
    return torch.stack((torch.stack((co, si, -(co * cx + si * cy)), 1), torch.stack((-si, co, si * cx - co * cy), 1)), 1), s


class Canvas:
    """One canvas of S x S of which only windows are painted."""

    def __init__(self, rgba, layers, ground, size):
        x, self.size, self.ground = premultiplied(rgba), size, torch.tensor(ground, dtype=torch.float32).view(3, 1, 1)
        self.theta, s = affine(layers, "cpu")
        self.layers = [F.avg_pool2d(v[None], 2) if k < 0.62 else v[None] for v, k in zip(x, s)]

    def window(self, j, i, side):
        """[1,3,side,side], 0 to 255, whose first row is j and whose first column is i."""
        k = side / self.size
        place = torch.tensor([[k, 0, (2 * i + side) / self.size - 1], [0, k, (2 * j + side) / self.size - 1], [0, 0, 1]], dtype=torch.float32)
        out = self.ground.expand(1, 3, side, side)
        for v, t in zip(self.layers, self.theta):
            v = F.grid_sample(v, F.affine_grid((t @ place)[None], (1, 4, side, side), align_corners=False), mode="bilinear", align_corners=False)
            out = v[:, :3] + out * (1 - v[:, 3:])
        return out.clamp(0, 255).round()


def compose(rgba, layers, grounds, size):
    """Layers [m,h,w,4] (uint8, straight alpha) over their grounds, all at once; at most two on a canvas."""
    device, x = rgba.device, premultiplied(rgba)
    theta, s = affine(layers, device)
    lay = torch.empty(len(layers), 4, size, size, device=device)
    small = s < 0.62
    for sel, src in ((~small, lambda v: v), (small, lambda v: F.avg_pool2d(v, 2))):  # half size first where it is shrunk much
        k = sel.nonzero().flatten()
        if len(k):
            lay[k] = F.grid_sample(src(x[k]), F.affine_grid(theta[k], (len(k), 4, size, size), align_corners=False), mode="bilinear", align_corners=False)
    out = torch.tensor(grounds, dtype=torch.float32, device=device).view(-1, 3, 1, 1).repeat(1, 1, size, size)
    passes, seen = ([], []), set()
    for j, v in enumerate(layers):
        passes[v[1] in seen].append(j)
        seen.add(v[1])
    for js in passes:
        if js:
            k, c = torch.tensor(js, device=device), torch.tensor([layers[j][1] for j in js], device=device)
            out[c] = lay[k, :3] + out[c] * (1 - lay[k, 3:])
    return out.clamp(0, 255).round()
