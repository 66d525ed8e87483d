#!/usr/bin/env python3
"""adapt.py CACHE OLD NEW [--decoder FROM TO] [--prior FROM TO] [--tame FROM TO]: checkpoints of a decoder or prior that learned with one CLIP, made to follow another.

OLD and NEW are CLIPs (checkpoints or exported folders), the second usually the first after more training.  All that a
decoder or prior is told by a CLIP enters through linear layers, so the best affine map from NEW's outputs to OLD's
(least squares over painted scenes) can be multiplied into them; the prior's output layer takes the way back.
Prints how much of the variance the maps explain.  Training goes on from TO; what is left is for it to learn.

Least squares leaves the map free where pictures do not vary, so that anything else (the embedding of a text, of a
drawing in another style) is blown up.  --tame: a decoder's layers fitted again to what they do with NEW's embeddings of
pictures, by ridge regression; they lose 0.2 % of their outputs and nine tenths of their norm.
"""
import argparse
import pathlib

import numpy as np
import torch

import data
import eval_clip

ap = argparse.ArgumentParser()
ap.add_argument("cache")
ap.add_argument("old")
ap.add_argument("new")
ap.add_argument("--decoder", nargs=2, metavar=("FROM", "TO"))
ap.add_argument("--prior", nargs=2, metavar=("FROM", "TO"))
ap.add_argument("--tame", nargs=2, metavar=("FROM", "TO"))
ap.add_argument("--scenes", type=int, default=6144)
ap.add_argument("--threads", type=int, default=1)


@torch.no_grad()
def outputs(clip, tok, batches):
    """Image embeddings, text embeddings, and the text states of all tokens."""
    out = [[], [], []]
    for px, texts in batches:
        rows = [tok.encode(t, plain=True) for t in texts]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for k, r in enumerate(rows):
            ids[k, : len(r)] = torch.tensor(r)
        states = clip.text.states(ids)
        out[0].append(clip.vision(data.normalise(px)))
        out[1].append(clip.text.pool(states, ids))
        out[2].append(states[torch.arange(ids.shape[1]) < torch.tensor([len(r) for r in rows])[:, None]])
    return [torch.cat(v).double() for v in out]


def affine(x, y):
    """(M, c): y ~ x M^T + c, and the share of y's variance that this explains."""
    a = torch.cat((x, torch.ones(len(x), 1, dtype=x.dtype)), 1)
    w = torch.linalg.solve(a.T @ a + 1e-6 * len(a) * torch.eye(a.shape[1], dtype=a.dtype), a.T @ y)
    left = (y - a @ w).square().sum() / (y - y.mean(0)).square().sum()
    return w[:-1].T, w[-1], 1 - left.item()


def fold_in(p, layer, m, c):
    """The layer shall do with x what it did with m x + c."""
    w = p[layer + ".weight"].double()
    p[layer + ".bias"] = (p[layer + ".bias"].double() + w @ c).float()
    p[layer + ".weight"] = (w @ m).float()


def fold_out(p, layer, m, c):
    """The layer's output goes through m x + c."""
    p[layer + ".bias"] = (m @ p[layer + ".bias"].double() + c).float()
    p[layer + ".weight"] = (m @ p[layer + ".weight"].double()).float()


def adapt_decoder(p, maps, _):
    image, text, states, back = maps
    fold_in(p, "proj.embedding_proj", *text)
    fold_in(p, "proj.encoder_hidden_states_proj", *states)
    for n in ("clip_image_embeddings_project_to_time_embeddings", "clip_extra_context_tokens_proj"):
        fold_in(p, "proj." + n, *image)
    n = "proj.learned_classifier_free_guidance_embeddings"
    p[n] = (back[0] @ p[n].double() + back[1]).float()


def adapt_prior(p, maps, new):
    image, text, states, back = maps
    mean, std = p["clip_mean"][0].double(), p["clip_std"][0].double()
    m2, s2 = new.mean(0), new.std(0)
    fold_in(p, "embedding_proj", *text)
    fold_in(p, "encoder_hidden_states_proj", *states)
    fold_in(p, "proj_in", image[0] * s2 / std[:, None], (image[0] @ m2 + image[1] - mean) / std)
    fold_out(p, "proj_to_clip_embeddings", back[0] * std / s2[:, None], (back[0] @ mean + back[1] - m2) / s2)
    p["clip_mean"], p["clip_std"] = m2.float()[None], s2.float()[None]


def tame(p, _, new):
    mean = new.mean(0)
    cov = (new - mean).T @ (new - mean) / len(new)
    d = len(cov)
    shrink = torch.linalg.solve(cov + 1e-3 * cov.trace() / d * torch.eye(d, dtype=cov.dtype), cov)
    free = "proj.learned_classifier_free_guidance_embeddings"
    layers, want = [], []
    for n in ("clip_image_embeddings_project_to_time_embeddings", "clip_extra_context_tokens_proj"):
        w, b = (p[f"proj.{n}.{k}"].double() for k in ("weight", "bias"))
        less = w @ shrink
        p[f"proj.{n}.weight"], p[f"proj.{n}.bias"] = less.float(), (b + (w - less) @ mean).float()
        layers.append(less)
        want.append(w @ p[free].double() - (w - less) @ mean)
        lost = ((new - mean) @ (w - less).T).square().sum() / ((new - mean) @ w.T).square().sum()
        print(f"{n}: norm {w.norm():.1f} to {less.norm():.1f}, {100 * lost:.2f} % of the outputs lost")
    a, y = torch.cat(layers), torch.cat(want)  # what stands for no picture shall do what it did
    square = a.T @ a
    p[free] = torch.linalg.solve(square + 1e-6 * square.trace() / d * torch.eye(d, dtype=a.dtype), a.T @ y).float()


def convert(source, target, adapt, maps, new):
    s = torch.load(source)
    net = s["net"]
    names = list(net)  # the modules hold no buffers: state and parameters have one order
    assert len(names) == len(s["ema"]), "buffers among the parameters"
    ema = dict(zip(names, s["ema"]))
    adapt(net, maps, new)
    adapt(ema, maps, new)
    s["ema"] = [ema[n] for n in names]
    pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
    torch.save(s, target)


def main():
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    scenes = data.Scenes(a.cache)
    batches = [scenes.batch(np.random.default_rng([9, k]), 256) for k in range(a.scenes // 256)]
    (i0, t0, s0), (i1, t1, s1) = (outputs(*eval_clip.load(f), batches) for f in (a.old, a.new))
    pairs = dict(image=(i1, i0), text=(t1, t0), states=(s1, s0), back=(i0, i1))
    maps = []
    for name, (x, y) in pairs.items():
        m, c, r = affine(x, y)
        maps.append((m, c))
        print(f"{name}: {100 * r:.1f} % of the variance")
    if a.decoder:
        convert(*a.decoder, adapt_decoder, maps, i1)
    if a.tame:
        convert(*a.tame, tame, maps, i1)
    if a.prior:
        convert(*a.prior, adapt_prior, maps, i1)


if __name__ == "__main__":
    main()
