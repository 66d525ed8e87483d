"""ar_prior.py: the autoregressive prior of the paper: a caption, then the CLIP image embedding as codes of its principal components.

    row: [text states (context, the mask hides what is not there), text embedding, dot product, code 1, ... code K - 1]
    the output at the text embedding is for the dot product, that at the dot product for code 1, and so on

Tensors: the blocks as in the diffusion prior (transformer_blocks.i: norm1, attn1.to_q/k/v, attn1.to_out.0, norm3, ff.net.0.proj, ff.net.2),
encoder_hidden_states_proj, embedding_proj, dot_embedding.weight [buckets,D], code_embedding.weight [buckets,D], positional_embedding
[1,context+1+K,D], norm_out, to_logits.weight [buckets,D], position_logits [1+K,buckets] (added to the logits of the dot product and of each code),
pca.mean [E], pca.components [K,E] in order of falling variance, code.edges [K,2] and dot.edges [2] (lowest, highest; buckets of one width, a code
stands for the middle of its bucket), dot.histogram [buckets] (how often each was met in training).
"""
import torch
import torch.nn.functional as F
from torch import nn

from prior import Block

AR = dict(heads=4, head=64, layers=5, embed=256, text=48, buckets=1024)


class ARPrior(nn.Module):
    def __init__(self, k, heads=4, head=64, layers=5, embed=256, text=48, buckets=1024):
        super().__init__()
        d = heads * head
        self.text, self.k, self.buckets = text, k, buckets
        self.encoder_hidden_states_proj, self.embedding_proj = nn.Linear(embed, d), nn.Linear(embed, d)
        self.dot_embedding, self.code_embedding = nn.Embedding(buckets, d), nn.Embedding(buckets, d)
        self.positional_embedding = nn.Parameter(0.02 * torch.randn(1, text + 1 + k, d))
        self.transformer_blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm_out, self.to_logits = nn.LayerNorm(d), nn.Linear(d, buckets, bias=False)
        self.position_logits = nn.Parameter(torch.zeros(1 + k, buckets))
        self.pca, self.code, self.dot = nn.Module(), nn.Module(), nn.Module()
        for m, n, shape in ((self.pca, "mean", (embed,)), (self.pca, "components", (k, embed)), (self.code, "edges", (k, 2)), (self.dot, "edges", (2,)), (self.dot, "histogram", (buckets,))):
            setattr(m, n, nn.Parameter(torch.zeros(shape), requires_grad=False))
        for e in (self.dot_embedding, self.code_embedding):
            nn.init.normal_(e.weight, std=0.02)
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
        """dot [N] or None, codes [N,n]: logits [N,1+n or 1,buckets], the first for the dot product."""
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
        return self.to_logits(self.norm_out(h[:, length:])).float() + self.position_logits[:m]
