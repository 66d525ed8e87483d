"""glide.py: a small GLIDE that inpaints: text transformer, U-Net, byte-level BPE, with the names of OpenAI's base_inpaint.pt."""
import json

import torch
import torch.nn.functional as F
from torch import nn

import tokenizer
from unet import UNet

TEXT = dict(width=128, layers=3, context=36)
GLIDE = dict(sample_size=64, cin=7, cout=6, widths=(32, 64, 96, 128), layers=1, attention=(False, False, True, True), head=32,
             groups=16, context=128, scale_shift=True)  # the decoder's except the last two widths


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.c_qkv, self.attn.c_proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp.c_fc, self.mlp.c_proj = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        n, l, d = x.shape
        q, k, v = self.attn.c_qkv(self.ln_1(x)).view(n, l, d // 64, 3, 64).permute(3, 0, 2, 1, 4)  # a row of weights: head, part, channel
        x = x + self.attn.c_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, l, d))
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x))))


class Glide(nn.Module):
    def __init__(self, units):
        super().__init__()
        d, self.end = TEXT["width"], units - 1
        self.token_embedding = nn.Embedding(units, d)
        self.positional_embedding, self.padding_embedding = (nn.Parameter(0.02 * torch.randn(TEXT["context"], d)) for _ in range(2))
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(Block(d) for _ in range(TEXT["layers"]))
        self.final_ln, self.transformer_proj = nn.LayerNorm(d), nn.Linear(d, 4 * GLIDE["widths"][0])
        self.unet = UNet(GLIDE)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def states(self, ids):
        """ids [N,context], `end` where there is nothing; [N,context,width]"""
        x = self.token_embedding(ids) + self.positional_embedding
        x = torch.where((ids == self.end)[:, :, None], self.padding_embedding, x)
        for b in self.transformer.resblocks:
            x = b(x)
        return self.final_ln(x)

    def forward(self, xt, t, ids, known, mask):
        """xt [N,3,64,64]; known: the picture, mask [N,1,64,64]: 1 where it is given."""
        f = self.states(ids)
        return self.unet(torch.cat((xt, known * mask, mask), 1), t, self.transformer_proj(f[:, -1]), f, torch.zeros(ids.shape, device=ids.device))


def settings(folder):
    """config.json: what differs from OpenAI's networks and what their files do not say."""
    (folder / "config.json").write_text(json.dumps(dict(num_head_channels=GLIDE["head"], num_groups=GLIDE["groups"])) + "\n")


class Words:
    """GPT-2's byte-level BPE: a space belongs to the word after it; ids: bytes in the order of their characters, merges, <|endoftext|>."""

    def __init__(self, merges):
        self.rank = {tuple(m): i for i, m in enumerate(merges)}
        names = [tokenizer.CHAR[b] for b in tokenizer.ORDER] + [a + b for a, b in merges] + ["<|endoftext|>"]
        self.merges, self.id = merges, {n: i for i, n in enumerate(names)}
        self.split = tokenizer.regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
        self.seen = {}

    def word(self, w):
        if w not in self.seen:
            s = [tokenizer.CHAR[b] for b in w.encode()]
            while len(s) > 1 and (best := min(zip(s, s[1:]), key=lambda p: self.rank.get(p, 1 << 30))) in self.rank:
                s = tokenizer.fuse(s, best)
            self.seen[w] = [self.id[x] for x in s]
        return self.seen[w]

    def encode(self, text, length=TEXT["context"]):
        out = [i for w in self.split.findall(text.lower()) for i in self.word(w)][:length]
        return out + [len(self.id) - 1] * (length - len(out))

    def save(self, folder):
        """encoder.json, vocab.bpe"""
        (folder / "encoder.json").write_text(json.dumps(self.id, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / "vocab.bpe").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.merges), encoding="utf-8")


def learn_words(counts, merges):
    """counts: word, its space included, -> how often."""
    words = [([tokenizer.CHAR[b] for b in w.encode()], n) for w, n in sorted(counts.items())]
    out = []
    while len(out) < merges:
        pairs = {}
        for s, n in words:
            for p in zip(s, s[1:]):
                pairs[p] = pairs.get(p, 0) + n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        out.append(best)
        words = [(tokenizer.fuse(s, best) if best[0] in s else s, n) for s, n in words]
    return Words(out)


def original(net, woven=None):
    """The tensors under the names of OpenAI's file.  woven gets the names of those that are made of several, and of which."""
    woven = {} if woven is None else woven
    out, n, top = {}, GLIDE["layers"], len(GLIDE["widths"]) - 1
    for k, v in net.state_dict().items():
        if not k.startswith("unet."):
            out[k] = v
    unet, head = net.unet, GLIDE["head"]
    res = dict(norm1="in_layers.0", conv1="in_layers.2", time_emb_proj="emb_layers.1", norm2="out_layers.0", conv2="out_layers.3", conv_shortcut="skip_connection")

    def put(name, module):
        for k, v in module.named_parameters():
            out[f"{name}.{k}"] = v

    def put_res(name, r):
        for ours, theirs in res.items():
            if hasattr(r, ours):
                put(f"{name}.{theirs}", getattr(r, ours))

    def put_attention(name, a):
        def weave(*parts):  # rows: head, part, channel; a third dimension for the weights of a convolution
            both = [torch.stack([getattr(p, k).view(-1, head, *getattr(p, k).shape[1:]) for p in parts], 1).flatten(0, 2) for k in ("weight", "bias")]
            return both[0][:, :, None], both[1]
        put(name + ".norm", a.group_norm)
        for k, parts in ((".qkv", (a.to_q, a.to_k, a.to_v)), (".encoder_kv", (a.add_k_proj, a.add_v_proj))):
            woven[name + k] = parts
            out[name + k + ".weight"], out[name + k + ".bias"] = weave(*parts)
        out[name + ".proj_out.weight"], out[name + ".proj_out.bias"] = a.to_out[0].weight[:, :, None], a.to_out[0].bias

    put("time_embed.0", unet.time_embedding.linear_1)
    put("time_embed.2", unet.time_embedding.linear_2)
    put("input_blocks.0.0", unet.conv_in)
    for i, d in enumerate(unet.down_blocks):
        for j, r in enumerate(d.resnets):
            put_res(f"input_blocks.{1 + (n + 1) * i + j}.0", r)
            if hasattr(d, "attentions"):
                put_attention(f"input_blocks.{1 + (n + 1) * i + j}.1", d.attentions[j])
        if i < top:
            put_res(f"input_blocks.{(n + 1) * (i + 1)}.0", d.downsamplers[0])
    put_res("middle_block.0", unet.mid_block.resnets[0])
    put_attention("middle_block.1", unet.mid_block.attentions[0])
    put_res("middle_block.2", unet.mid_block.resnets[1])
    for i, u in enumerate(unet.up_blocks):
        for j, r in enumerate(u.resnets):
            put_res(f"output_blocks.{(n + 1) * i + j}.0", r)
            if hasattr(u, "attentions"):
                put_attention(f"output_blocks.{(n + 1) * i + j}.1", u.attentions[j])
        if i < top:
            put_res(f"output_blocks.{(n + 1) * i + n}.{2 if hasattr(u, 'attentions') else 1}", u.upsamplers[0])
    put("out.0", unet.conv_norm_out)
    put("out.2", unet.conv_out)
    assert sum(v.numel() for v in out.values()) == sum(v.numel() for v in net.state_dict().values())
    return out


@torch.no_grad()
def restore(net, tensors):
    """The inverse of original(): what a file holds, into net."""
    woven = {}
    for name, here in original(net, woven).items():
        stem, _, kind = name.rpartition(".")
        if stem in woven:
            rows = tensors[name].float().flatten(1) if kind == "weight" else tensors[name].float()[:, None]
            rows = rows.view(-1, len(woven[stem]), GLIDE["head"], rows.shape[1])
            for j, part in enumerate(woven[stem]):
                p = getattr(part, kind)
                p.copy_(rows[:, j].reshape(p.shape))
        else:
            here.copy_(tensors[name].float())  # the parameter itself or a view of it
