"""ar_prior.py: the autoregressive prior of the paper: a caption, then the CLIP image embedding as codes of its principal components.

    row: [text states (context, the mask hides what is not there), text embedding, dot product, code 1, ... code K - 1]
    the output at the dot product is for code 1, that at code 1 for code 2, and so on; that at the text embedding is for the dot product

Tensors: the blocks as in the diffusion prior (transformer_blocks.i: norm1, attn1.to_q/k/v, attn1.to_out.0, norm3, ff.net.0.proj, ff.net.2),
encoder_hidden_states_proj, embedding_proj, dot_embedding.weight [buckets,D], code_embedding.weight [buckets,D], positional_embedding
[1,context+1+K,D], norm_out, to_logits.weight [buckets,D], position_logits [1+K,buckets] (added to the logits of the dot product and of each code),
pca.mean [E], pca.components [K,E] in order of falling variance, code.edges [K,2] and dot.edges [2] (lowest, highest; buckets of one width, a code
stands for the middle of its bucket), dot.histogram [buckets] (how often each was met in training).
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from prior import Block

AR = dict(heads=4, head=64, layers=4, embed=256, text=48, buckets=1024)


class Smooth(nn.Module):
    """A table [buckets,D] whose columns are sums of `waves` cosines: neighbours learn from each other, as 1,024 rows of their own
    do only with very many samples.  What is saved is the table."""

    def __init__(self, buckets, d, waves, std):
        super().__init__()
        j, b = torch.arange(waves), (torch.arange(buckets) + 0.5) / buckets
        self.register_buffer("wave", 2**0.5 * torch.cos(math.pi * b[:, None] * j))
        self.coefficients = nn.Parameter(std * torch.randn(waves, d) / (1 + j)[:, None])

    @property
    def weight(self):
        return self.wave @ self.coefficients

    def forward(self, i):
        return F.embedding(i, self.weight)


class ARPrior(nn.Module):
    """waves 0: tables without smoothness, as in the file."""

    def __init__(self, k, heads=4, head=64, layers=5, embed=256, text=48, buckets=1024, waves=0):
        super().__init__()
        d = heads * head
        self.text, self.k, self.buckets = text, k, buckets
        self.encoder_hidden_states_proj, self.embedding_proj = nn.Linear(embed, d), nn.Linear(embed, d)
        if waves:
            self.dot_embedding, self.code_embedding = Smooth(buckets, d, waves, 0.3), Smooth(buckets, d, waves, 0.3)
            self.to_logits = Smooth(buckets, d, waves, 0.0)
        else:
            self.dot_embedding, self.code_embedding = nn.Embedding(buckets, d), nn.Embedding(buckets, d)
            self.to_logits = nn.Linear(d, buckets, bias=False)
        self.positional_embedding = nn.Parameter(0.02 * torch.randn(1, text + 1 + k, d))
        self.transformer_blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm_out = nn.LayerNorm(d)
        self.pca, self.code, self.dot = nn.Module(), nn.Module(), nn.Module()
        for m, n, shape in ((self, "position_logits", (1 + k, buckets)), (self.pca, "mean", (embed,)), (self.pca, "components", (k, embed)),
                            (self.code, "edges", (k, 2)), (self.dot, "edges", (2,)), (self.dot, "histogram", (buckets,))):
            setattr(m, n, nn.Parameter(torch.zeros(shape), requires_grad=False))
        for b in self.transformer_blocks:
            for m in (b.attn1.to_out[0], b.ff.net[2]):
                nn.init.normal_(m.weight, std=m.weight.shape[1] ** -0.5 * (2 * layers) ** -0.5)

    def bucket(self, x, edges):
        lo, hi = edges[..., 0], edges[..., 1]
        return ((x - lo) / (hi - lo) * self.buckets).floor().clamp(0, self.buckets - 1).long()

    def codes(self, z):
        """[N,E] to [N,K]."""
        return self.bucket((z - self.pca.mean) @ self.pca.components.T, self.code.edges)

    def embedding(self, codes):
        lo, hi = self.code.edges.unbind(1)
        return self.pca.mean + (lo + (codes + 0.5) / self.buckets * (hi - lo)) @ self.pca.components

    def forward(self, embeds, states, mask, dot, codes):
        """dot [N] or None, codes [N,n]: logits [N,2+n or 1,buckets]: for the dot product, for code 1, ... for code n + 1."""
        n, length, _ = states.shape
        tail = [self.embedding_proj(embeds)[:, None]]
        if dot is not None:
            tail += [self.dot_embedding(dot)[:, None].to(tail[0].dtype), self.code_embedding(codes).to(tail[0].dtype)]
        tail = torch.cat(tail, 1)
        m = tail.shape[1]
        h = torch.cat((self.encoder_hidden_states_proj(states).to(tail.dtype), tail), 1)
        h = h + torch.cat((self.positional_embedding[:, :length], self.positional_embedding[:, self.text:self.text + m]), 1)
        k = length + m
        bias = F.pad(torch.where(mask, 0.0, -10000.0), (0, m))[:, None, None, :] + torch.full((k, k), -10000.0, device=h.device).triu(1)
        for b in self.transformer_blocks:
            h = b(h, bias)
        return F.linear(self.norm_out(h[:, length:]), self.to_logits.weight).float() + self.position_logits[:m]

    def tensors(self):
        """What the file holds."""
        s = {n: v for n, v in self.state_dict().items() if not n.endswith((".wave", ".coefficients"))}
        for n in ("dot_embedding", "code_embedding", "to_logits"):
            s[n + ".weight"] = getattr(self, n).weight
        return s

    @torch.no_grad()
    def draw(self, text, empty, n, guidance=1.0, temperature=1.0, quantile=0.5, generator=None):
        """n embeddings of one text.  text, empty: embeds [1,E], states [1,L,E], mask [1,L]."""
        both = [tuple(v.expand(n, *v.shape[1:]) for v in t) for t in (text, empty)]
        below = self.dot.histogram.double().cumsum(0)
        least = quantile * below[-1]
        weight = below.clamp_min(least).diff(prepend=least.view(1))  # of each bucket the part above the quantile
        dot = torch.multinomial((weight / weight.sum()).float().expand(n, -1), 1, generator=generator)[:, 0]
        codes = torch.zeros(n, 0, dtype=torch.long)
        for _ in range(self.k):
            c, u = (self(*t, dot, codes)[:, -1] for t in both)
            logits = u + guidance * (c - u)
            code = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)
            codes = torch.cat((codes, code), 1)
        return dot, codes, self.embedding(codes)
