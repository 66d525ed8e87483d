"""dalle.py: the transformer of the DALL-E in the box, with ruDALL-E's parameter names and sparse attention (v3), and its tokenizer.

A row is 32 text tokens and 256 picture tokens.  Layers see a row, a column, rows, ... and at last a neighbourhood of 11 x 11.
The tokenizer is YouTokenToMe's: words begin with U+2581; pad 0, unknown 1, begin 2, end 3, then characters, then merges.
"""
import collections

import torch
import torch.nn.functional as F
from torch import nn

DALLE = dict(layers=7, width=256, heads=4, text=32, side=16, units=1024, codes=1024)


def sees(c, i):
    """[L,L]: whether query q (row) of layer i sees key k (column)."""
    t, d = c["text"], c["side"]
    n = t + d * d
    q, k = torch.arange(n)[:, None], torch.arange(n)[None]
    if (i - 1) % 4 == 0:
        near = (q - k) % d == 0
    elif i < c["layers"] - 1:
        near = q - k <= d
    else:
        a, b = k - t, q - t
        near = (b // d - a // d).abs().le(5) & (b % d - a % d).abs().le(5) & (a >= 0) & (b >= 0)
    return (k <= q) & (near | (k < t) | (k == q))


class Layer(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        for n in ("input_layernorm", "before_first_addition_layernorm", "post_attention_layernorm", "before_second_addition_layernorm"):
            setattr(self, n, nn.LayerNorm(d))
        self.heads = heads
        self.attention, self.mlp = nn.Module(), nn.Module()
        self.attention.query_key_value, self.attention.dense = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp.dense_h_to_4h, self.mlp.dense_4h_to_h = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x, mask):
        n, l, d = x.shape
        q, k, v = self.attention.query_key_value(self.input_layernorm(x)).view(n, l, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(n, l, d)
        x = x + self.before_first_addition_layernorm(self.attention.dense(y))
        h = self.mlp.dense_4h_to_h(F.gelu(self.mlp.dense_h_to_4h(self.post_attention_layernorm(x)), approximate="tanh"))
        return x + self.before_second_addition_layernorm(h)


class Dalle(nn.Module):
    def __init__(self, c=DALLE):
        super().__init__()
        d, self.c, self.words = c["width"], c, c["units"] + c["text"]
        self.text_embeddings, self.image_embeddings = nn.Embedding(self.words, d), nn.Embedding(c["codes"], d)
        self.text_pos_embeddings = nn.Embedding(c["text"] + 1, d)
        self.image_row_embeddings, self.image_col_embeddings = nn.Embedding(c["side"], d), nn.Embedding(c["side"], d)
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(Layer(d, c["heads"]) for _ in range(c["layers"]))
        self.transformer.final_layernorm = nn.LayerNorm(d)
        self.to_logits = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, self.words + c["codes"]))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)
        self.masks = [sees(c, i) for i in range(c["layers"])]

    def forward(self, text, image):
        """text [N,32] (0: pad), image [N,n <= 256]: logits [N,32+n,words+codes]; those at position p are for what comes after it."""
        t, n = self.c["text"], image.shape[1]
        at, dev = torch.arange(t, device=text.device), torch.arange(n, device=text.device)
        x = self.text_embeddings(torch.where(text == 0, self.words - t + at, text)) + self.text_pos_embeddings(at)
        y = self.image_embeddings(image) + self.image_row_embeddings(dev // self.c["side"]) + self.image_col_embeddings(dev % self.c["side"])
        x = torch.cat((x, y), 1)
        for i, b in enumerate(self.transformer.layers):
            if self.masks[i].device != x.device:
                self.masks[i] = self.masks[i].to(x.device)
            x = b(x, self.masks[i][: t + n, : t + n])
        return self.to_logits(self.transformer.final_layernorm(x))

    def loss(self, text, image):
        """(text, image): mean cross-entropies.  Text logits and picture logits are held apart, as when drawing."""
        t = self.c["text"]
        out = self.forward(text, image[:, :-1]).float()
        words = torch.where(text == 0, self.words - t + torch.arange(t, device=text.device), text)
        return (F.cross_entropy(out[:, : t - 1, : self.words].flatten(0, 1), words[:, 1:].flatten()),
                F.cross_entropy(out[:, t - 1:, self.words:].flatten(0, 1), image.flatten()))


def sample(net, text, rng, scale=2.0, top=64):
    """Picture tokens [N,256], one after another without a cache; guidance against the empty text."""
    n, t = len(text), net.c["text"]
    both = torch.cat((text, torch.zeros_like(text)))
    both[n:, 0], both[n:, 1] = 2, 3
    image = torch.zeros(n, 0, dtype=torch.long, device=text.device)
    for _ in range(net.c["side"] ** 2):
        one, none = net(both, torch.cat((image, image)))[:, -1, net.words:].float().chunk(2)
        v, k = (none + scale * (one - none)).topk(top)
        pick = torch.multinomial(v.softmax(1).cpu(), 1, generator=rng).to(k.device)
        image = torch.cat((image, k.gather(1, pick)), 1)
    return image


class Words:
    """YouTokenToMe's byte-less BPE."""

    def __init__(self, text):
        """text: a bpe.model file's."""
        rows = [[int(v) for v in line.split()] for line in text.strip().split("\n")]
        n = rows[0][0]
        self.char = {chr(c): i for c, i in rows[1:n + 1]}
        self.rule = {(l, r): (k, i) for k, (l, r, i) in enumerate(rows[n + 1:-1])}

    def encode(self, text, length=0, rng=None, drop=0.0):
        """Ids with begin and end, cut or padded to length; with rng each possible merge is left out with chance drop."""
        out = [2]
        for word in text.lower().split():
            s = [self.char.get(c, 1) for c in "\u2581" + word]
            while True:
                pairs = [(self.rule[p][0], j) for j, p in enumerate(zip(s, s[1:])) if p in self.rule and not (rng is not None and rng.random() < drop)]
                if not pairs:
                    break
                j = min(pairs)[1]
                s[j:j + 2] = [self.rule[s[j], s[j + 1]][1]]
            out += s
        out.append(3)
        return (out + [0] * length)[:length] if length else out


def learn_words(texts, units):
    """A bpe.model file from texts: the most frequent pair first, ties in order of their ids."""
    words = collections.Counter(w for t in texts for w in t.lower().split())
    char = {c: i for i, c in enumerate(["\u2581", *sorted({c for w in words for c in w})], 4)}
    rows = [([char[c] for c in "\u2581" + w], n) for w, n in sorted(words.items())]
    rules, new = [], 4 + len(char)
    while new < units:
        pairs = collections.Counter()
        for s, n in rows:
            for p in zip(s, s[1:]):
                pairs[p] += n
        if not pairs:
            break
        l, r = min(pairs, key=lambda p: (-pairs[p], p))
        for s, _ in rows:
            j = 0
            while j + 1 < len(s):
                if s[j] == l and s[j + 1] == r:
                    s[j:j + 2] = [new]
                j += 1
        rules.append((l, r, new))
        new += 1
    return (f"{len(char)} {len(rules)}\n" + "".join(f"{ord(c)} {i}\n" for c, i in char.items()) + "".join("%d %d %d\n" % r for r in rules) + "1 0 2 3\n")
