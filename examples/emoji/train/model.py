"""model.py: CLIP with two small transformers, parameter names as in transformers' two classes.

OpenAI's architecture: pre-LN blocks, QuickGELU, heads of 64, causal text tower
pooled at the end-of-text token, class token in the image tower.
"""
import torch
import torch.nn.functional as F
from torch import nn

TEXT = dict(vocab=3000, context=48, width=256, layers=4)
VISION = dict(size=64, patch=8, width=256, layers=6)
EMBED = 256


class Attention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.heads = d // 64
        for n in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, n, nn.Linear(d, d))

    def forward(self, x, causal):
        w = torch.cat((self.q_proj.weight, self.k_proj.weight, self.v_proj.weight))
        b = torch.cat((self.q_proj.bias, self.k_proj.bias, self.v_proj.bias))
        n, t, d = x.shape
        q, k, v = F.linear(x, w, b).view(n, t, 3, self.heads, 64).permute(2, 0, 3, 1, 4).unbind(0)
        s = (q * 0.125) @ k.transpose(2, 3)  # written out: for short rows faster on a CPU than the fused kernel
        if causal:
            s = s + torch.full((t, t), -1e4, dtype=s.dtype, device=s.device).triu(1)
        y = s.softmax(3) @ v
        return self.out_proj(y.transpose(1, 2).reshape(n, t, d))


class MLP(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        # QuickGELU: h * sigmoid(1.702 h) = silu(1.702 h) / 1.702, the factors moved into the weights
        x = F.silu(F.linear(x, 1.702 * self.fc1.weight, 1.702 * self.fc1.bias))
        return F.linear(x, self.fc2.weight / 1.702, self.fc2.bias)


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.self_attn, self.mlp = Attention(d), MLP(d)

    def forward(self, x, causal):
        x = x + self.self_attn(self.layer_norm1(x), causal)
        return x + self.mlp(self.layer_norm2(x))


def encoder(d, layers):
    e = nn.Module()
    e.layers = nn.ModuleList(Block(d) for _ in range(layers))
    return e


class Text(nn.Module):
    def __init__(self, vocab, context, width, layers):
        super().__init__()
        m = self.text_model = nn.Module()
        m.embeddings = nn.Module()
        m.embeddings.token_embedding = nn.Embedding(vocab, width)
        m.embeddings.position_embedding = nn.Embedding(context, width)
        m.encoder = encoder(width, layers)
        m.final_layer_norm = nn.LayerNorm(width)
        self.text_projection = nn.Linear(width, EMBED, bias=False)

    def states(self, ids):
        """[N,L,width] after the final norm: what prior and decoder are told."""
        m = self.text_model
        x = m.embeddings.token_embedding(ids) + m.embeddings.position_embedding.weight[: ids.shape[1]]
        for b in m.encoder.layers:
            x = b(x, True)
        return m.final_layer_norm(x)

    def pool(self, states, ids):
        return self.text_projection(states[torch.arange(len(ids), device=ids.device), ids.argmax(1)])

    def forward(self, ids):
        return self.pool(self.states(ids), ids)


class Vision(nn.Module):
    def __init__(self, size, patch, width, layers):
        super().__init__()
        m = self.vision_model = nn.Module()
        e = m.embeddings = nn.Module()
        e.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        e.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        e.position_embedding = nn.Embedding((size // patch) ** 2 + 1, width)
        m.pre_layrnorm, m.post_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)
        m.encoder = encoder(width, layers)
        self.visual_projection = nn.Linear(width, EMBED, bias=False)
        self.patch = patch

    def forward(self, x, keep=None):
        """keep: [N, k] patch numbers to look at (the others are left out), or None for all."""
        m, e, p = self.vision_model, self.vision_model.embeddings, self.patch
        n, c, h, w = x.shape
        x = x.view(n, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * p * p)
        pos = e.position_embedding.weight
        add = pos[1:].expand(n, -1, -1)
        if keep is not None:
            x = x.gather(1, keep[:, :, None].expand(-1, -1, x.shape[2]))
            add = pos[1:][keep]
        x = F.linear(x, e.patch_embedding.weight.flatten(1)) + add
        x = torch.cat(((e.class_embedding + pos[0]).expand(n, 1, -1).to(x.dtype), x), 1)
        x = m.pre_layrnorm(x)
        for b in m.encoder.layers:
            x = b(x, False)
        return self.visual_projection(m.post_layernorm(x[:, 0]))


class CLIP(nn.Module):
    def __init__(self):
        super().__init__()
        self.text, self.vision = Text(**TEXT), Vision(**VISION)
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))
        for tower, layers in ((self.text, TEXT["layers"]), (self.vision, VISION["layers"])):
            for name, p in tower.named_parameters():
                if p.dim() < 2:
                    continue
                std = p[0].numel() ** -0.5
                if "embedding.weight" in name and "patch" not in name:
                    std = 0.02
                elif "out_proj" in name or "fc2" in name:
                    std *= (2 * layers) ** -0.5
                nn.init.normal_(p, std=std)
