"""prior.py: the diffusion prior, parameter names as in diffusers' PriorTransformer (Karlo's shape, small)."""
import torch
import torch.nn.functional as F
from torch import nn

from unet import sinusoid

PRIOR = dict(heads=4, head=64, layers=5, embed=256, text=48)


class Attn(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        for n in ("to_q", "to_k", "to_v"):
            setattr(self, n, nn.Linear(d, d))
        self.to_out = nn.ModuleList([nn.Linear(d, d)])

    def forward(self, x, bias):
        n, t, d = x.shape
        q, k, v = (m(x).view(n, t, self.heads, -1).transpose(1, 2) for m in (self.to_q, self.to_k, self.to_v))
        s = (q * (d // self.heads) ** -0.5) @ k.transpose(2, 3) + bias.to(q.dtype)
        return self.to_out[0]((s.softmax(3) @ v).transpose(1, 2).reshape(n, t, d))


class Gelu(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.proj = nn.Linear(d, 4 * d)

    def forward(self, x):
        return F.gelu(self.proj(x))


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.norm1, self.norm3 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn1 = Attn(d, heads)
        self.ff = nn.Module()
        self.ff.net = nn.ModuleList([Gelu(d), nn.Identity(), nn.Linear(4 * d, d)])

    def forward(self, x, bias):
        x = x + self.attn1(self.norm1(x), bias)
        return x + self.ff.net[2](self.ff.net[0](self.norm3(x)))


class Prior(nn.Module):
    def __init__(self, heads, head, layers, embed, text):
        super().__init__()
        d = heads * head
        self.d, self.text = d, text
        self.positional_embedding = nn.Parameter(0.02 * torch.randn(1, text + 4, d))
        self.prd_embedding = nn.Parameter(0.02 * torch.randn(1, 1, d))
        self.clip_mean, self.clip_std = (nn.Parameter(v, requires_grad=False) for v in (torch.zeros(1, embed), torch.ones(1, embed)))
        self.time_embedding = nn.Module()
        self.time_embedding.linear_1, self.time_embedding.linear_2 = nn.Linear(d, d), nn.Linear(d, d)
        self.proj_in, self.embedding_proj, self.encoder_hidden_states_proj = (nn.Linear(embed, d) for _ in range(3))
        self.transformer_blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm_out, self.proj_to_clip_embeddings = nn.LayerNorm(d), nn.Linear(d, embed)
        for b in self.transformer_blocks:
            for m in (b.attn1.to_out[0], b.ff.net[2]):
                nn.init.normal_(m.weight, std=m.weight.shape[1] ** -0.5 * (2 * layers) ** -0.5)

    def forward(self, x, t, embeds, states, mask):
        """x [N,D] noisy, t [N], embeds [N,D], states [N,L,D] and mask [N,L] (L <= text: left-out rows are masked ones).  Returns x0 [N,D]."""
        n, length, _ = states.shape
        time = self.time_embedding.linear_2(F.silu(self.time_embedding.linear_1(sinusoid(t, self.d))))
        tail = torch.stack((self.embedding_proj(embeds), time, self.proj_in(x), self.prd_embedding.expand(n, 1, -1)[:, 0].to(time.dtype)), 1)
        h = torch.cat((self.encoder_hidden_states_proj(states).to(tail.dtype), tail), 1)
        h = h + torch.cat((self.positional_embedding[:, :length], self.positional_embedding[:, self.text:]), 1)
        k = length + 4
        bias = F.pad(torch.where(mask, 0.0, -10000.0), (0, 4))[:, None, None, :] + torch.full((k, k), -10000.0, device=x.device).triu(1)
        for b in self.transformer_blocks:
            h = b(h, bias)
        return self.proj_to_clip_embeddings(self.norm_out(h[:, -1]))
