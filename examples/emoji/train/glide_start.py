#!/usr/bin/env python3
"""glide_start.py CACHE BOX OUT: the weights with which a small GLIDE begins, out of the decoder of an exported folder.

A GLIDE is the decoder with a text transformer where the decoder is told a CLIP image embedding.  So the U-Net is the decoder's; of its
two lowest levels the channels are kept that matter most, and what it sees of a known picture counts nothing yet.  The text transformer
learns by regression what the decoder would be told about a picture with this caption: its last place the addition to the time embedding, the
four before it the context tokens.  A caption costs far less than a picture.
OUT/glide can be given to train_glide.py as --weights; --words FOLDER: a GLIDE whose tokenizer and text transformer to begin with.
"""
import pathlib
import time
import types

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import catalog
import conditions
import data
import diffusion
import eval_clip
from glide import GLIDE, TEXT, Glide, Words, original, restore, settings
from model import EMBED
from run import options
from unet import DECODER, TextProj, UNet

TOKENS = 4  # of text_proj
a = options("cache", "box", "run", minutes=4.0, words="", pool=(16000, "captions"), batch=128, chosen=(2, "as in train_glide.py"), styles=(1, ""), share=(0.95, ""))
out = pathlib.Path(a.run) / "glide"
out.mkdir(exist_ok=True)
scenes = data.Scenes(a.cache, ("", catalog.FIRST, catalog.CHOSEN)[a.chosen], share=a.share, styles=a.styles)
clip, tok = eval_clip.load(a.box)
decoder, proj = UNet(DECODER), TextProj(EMBED, 4 * DECODER["widths"][0], DECODER["context"])
decoder.load_state_dict(conditions.shipped(a.box, "decoder"))
proj.load_state_dict(conditions.shipped(a.box, "text_proj"))
words = Words([tuple(m.split()) for m in (pathlib.Path(a.words) / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]])
net = Glide(len(words.id))
print("parameters", sum(p.numel() for p in net.parameters()), flush=True)


# ---- the U-Net ----

def kept(importance, width):
    """The numbers of the width channels that matter most, as many of each group."""
    groups = DECODER["groups"]
    n = len(importance) // groups
    best = importance.view(groups, n).topk(width // groups).indices.sort(1).values
    return (best + n * torch.arange(groups)[:, None]).flatten()


@torch.no_grad()
def spread():
    """The mean square of each channel of each level, over noised pictures of all times."""
    px, _ = scenes.batch(np.random.default_rng([a.seed, 3]), 64)
    x0, image = px / 127.5 - 1, clip.vision(data.normalise(px))
    t = torch.arange(64) * 15 + 20
    told = proj(image, *conditions.of_ids(clip, *conditions.padded(tok, [""] * 64)))
    total = [torch.zeros(w) for w in DECODER["widths"]]
    hooks = []
    for k in range(len(total)):
        blocks = [*decoder.down_blocks[k].resnets, *decoder.up_blocks[-1 - k].resnets, *(decoder.mid_block.resnets if k == len(total) - 1 else [])]

        def add(m, i, o, k=k):
            total[k] += o.square().mean((0, 2, 3))

        hooks += [m.register_forward_hook(add) for m in blocks]
    decoder(diffusion.noised(x0, t, torch.randn(x0.shape)), t, *told)
    for h in hooks:
        h.remove()
    return total


@torch.no_grad()
def shrink():
    """The weights of the decoder, without the channels for which the GLIDE has no room.  The projections of context tokens stay as wide as the decoder's."""
    old, new, head = DECODER["widths"], GLIDE["widths"], DECODER["head"]
    assert (DECODER["groups"], head, DECODER["layers"], GLIDE["layers"]) == (GLIDE["groups"], GLIDE["head"], 1, 1)
    stream = [kept(v, w) for v, w in zip(spread(), new)]  # by level: the channels between blocks
    names = {}  # module: which of its outputs, and of its inputs, stay

    def res(name, r, inputs, level):
        i = torch.cat([stream[v] + sum(old[u] for u in inputs[:k]) for k, v in enumerate(inputs)])
        inner = kept(r.conv2.weight.square().sum((0, 2, 3)) * (r.norm2.weight.square() + r.norm2.bias.square()), new[level])
        names.update({name + ".norm1": (i, None), name + ".conv1": (inner, i), name + ".norm2": (inner, None), name + ".conv2": (stream[level], inner),
                      name + ".time_emb_proj": (torch.cat((inner, inner + old[level])), None), name + ".conv_shortcut": (stream[level], i)})

    def attention(name, m, level):
        heads = (m.to_out[0].weight.square().sum(0) * m.to_v.weight.square().sum(1)).view(-1, head).sum(1).topk(new[level] // head).indices.sort().values
        rows = (heads[:, None] * head + torch.arange(head)).flatten()
        names.update({name + ".group_norm": (stream[level], None), name + ".to_out.0": (stream[level], rows)})
        names.update({f"{name}.{k}": (rows, stream[level]) for k in ("to_q", "to_k", "to_v")})
        names.update({f"{name}.{k}": (rows, None) for k in ("add_k_proj", "add_v_proj")})

    skips, h, top = [0], 0, len(old) - 1
    for k, d in enumerate(decoder.down_blocks):
        res(f"down_blocks.{k}.resnets.0", d.resnets[0], [h], k)
        skips, h = skips + [k] * (1 + (k < top)), k
        if k < top:
            res(f"down_blocks.{k}.downsamplers.0", d.downsamplers[0], [k], k)
    for j, r in enumerate(decoder.mid_block.resnets):
        res(f"mid_block.resnets.{j}", r, [top], top)
    attention("mid_block.attentions.0", decoder.mid_block.attentions[0], top)
    for k, u in enumerate(decoder.up_blocks):
        for j, r in enumerate(u.resnets):
            res(f"up_blocks.{k}.resnets.{j}", r, [h, skips.pop()], top - k)
            h = top - k
        if k < top:
            res(f"up_blocks.{k}.upsamplers.0", u.upsamplers[0], [h], h)
    for name, m in decoder.named_modules():
        if ".attentions." in name and hasattr(m, "to_q") and not name.startswith("mid"):
            side, k = name.split(".")[:2]
            attention(name, m, int(k) if side == "down_blocks" else top - int(k))
    out = {}
    for key, v in decoder.state_dict().items():
        stem, kind = key.rsplit(".", 1)
        o, i = names.get(stem, (None, None))
        v = v if o is None else v[o]
        out[key] = v if i is None or kind == "bias" else v[:, i]
    v = out["conv_in.weight"]  # of the known picture and its mask nothing is seen
    out["conv_in.weight"] = torch.cat((v, torch.zeros(len(v), GLIDE["cin"] - v.shape[1], *v.shape[2:])), 1)
    return out


def fold(new, w, b):
    """Let the projections of context tokens take TEXT's width; a token of the decoder is about w f + b."""
    for key in [k for k in new if "add_" in k and k.endswith("weight")]:
        bias = key.replace("weight", "bias")
        new[bias], new[key] = new[bias] + new[key] @ b, new[key] @ w
    net.unet.load_state_dict(new)


# ---- the text transformer ----

@torch.no_grad()
def paint(k):
    """200 captions, and the CLIP image embedding of a picture of each."""
    torch.set_num_threads(1)
    px, texts = scenes.batch(np.random.default_rng([a.seed, 1, k]), 200)
    return clip.vision(data.normalise(px)).numpy(), texts


def painted():
    """All captions and embeddings, from RUN/pool.pt if it is there."""
    file = pathlib.Path(a.run) / "pool.pt"
    if not file.exists():
        with torch.multiprocessing.Pool(a.workers or 1) as pool:
            parts = pool.map(paint, range(a.pool // 200), 1)
        torch.save(dict(image=torch.from_numpy(np.concatenate([p[0] for p in parts])), texts=[t for p in parts for t in p[1]]), file)
    return torch.load(file)


@torch.no_grad()
def taught():
    """Captions, and what the decoder is told about a picture of each: the addition [N,4 w0], tokens [N,TOKENS,context]."""
    pool = painted()
    none = conditions.of_ids(clip, *conditions.padded(tok, [""]))
    every = lambda image: proj(image, *(v.expand(len(image), *v.shape[1:]) for v in none))
    add, tokens = zip(*((o[0], o[1][:, :TOKENS]) for o in map(every, pool["image"].split(1000))))
    free = every(proj.learned_classifier_free_guidance_embeddings[None])
    return pool["texts"], torch.cat(add), torch.cat(tokens), free[0][0], free[1][0]


began = time.time()
texts, add, tokens, free_add, free_context = taught()
longest = max(sum(i != words.id["<|endoftext|>"] for i in words.encode(t, 1000)) for t in texts)
assert longest + TOKENS < TEXT["context"], longest
ids = torch.tensor([words.encode(t) for t in texts + [""]])
print(f"{len(ids)} captions in {time.time() - began:.0f} s, the longest of {longest} tokens", flush=True)
if a.words:
    have = load_file(pathlib.Path(a.words) / "base_inpaint.safetensors")
    with torch.no_grad():
        for k, p in net.named_parameters():
            if not k.startswith("unet.") and k in have and have[k].shape[1:] == p.shape[1:]:
                p.copy_(have[k][: len(p)].float())
rest = free_context[TOKENS:].mean(0)  # what the other places say: nothing
back = torch.nn.Linear(TEXT["width"], DECODER["context"])
goal = torch.cat((rest.expand(len(ids), TEXT["context"] - TOKENS - 1, -1)[:, :1], torch.cat((tokens, free_context[None, :TOKENS]))), 1)
add = torch.cat((add, free_add[None]))
scale = torch.stack((add.var(0).mean(), tokens.var(0).mean()))
part = [(k, p) for k, p in [*net.named_parameters(), *back.named_parameters()] if not k.startswith("unet.")]
opt = diffusion.Optimizer(types.SimpleNamespace(named_parameters=lambda: part), a.lr, a.muon)
began, step, held, average = time.time(), 0, len(ids) // 40, None
rng = np.random.default_rng([a.seed, 4])


def errors(rows):
    f = net.states(ids[rows])
    one = (net.transformer_proj(f[:, -1]) - add[rows]).square().mean() / scale[0]
    c = back(f)
    two = (c[:, -1 - TOKENS:-1] - goal[rows, 1:]).square().mean() / scale[1]
    return one, two, (c[:, : -1 - TOKENS] - rest).square().mean() / scale[1]


while (progress := (time.time() - began) / 60 / a.minutes) < 1:
    rows = torch.from_numpy(rng.integers(held, len(ids), a.batch))
    rows[rng.random(a.batch) < 0.04] = len(ids) - 1
    e = errors(rows)
    (2 * e[0] + e[1] + 0.3 * e[2]).backward()
    opt.step(min(1, (step + 1) / 50) * min(1, max(0.01, 2 * (1 - progress))))
    average = torch.stack(e).detach() if average is None else 0.95 * average + 0.05 * torch.stack(e).detach()
    step += 1
    if step % 25 == 0:
        print(step, f"{time.time() - began:.0f} s", *(f"{v:.4f}" for v in average), flush=True)
with torch.no_grad():
    print("kept aside:", *(f"{v:.4f}" for v in torch.stack([torch.stack(errors(r)) for r in torch.arange(held).split(100)]).mean(0)), "of the variance", flush=True)
    fold(shrink(), back.weight, back.bias)
words.save(out)
settings(out)
save_file({k: v.detach().clone().contiguous() for k, v in original(net).items()}, out / "base_inpaint.safetensors", metadata={"format": "pt"})
