"""noised_clip.py: a CLIP that reads noisy pictures, with the names of GLIDE's clip_image_enc and clip_text_enc."""
import torch
import torch.nn.functional as F
from torch import nn

from model import EMBED, TEXT, VISION

LAYERS, WORDS = (0, 2, 5), dict(width=128, layers=2)  # of the box's image tower those it begins with; its own text tower is narrow
MEAN, STD = (122.77093945, 116.74601272, 104.09373519), (68.50053285, 66.63215831, 70.32316309)


class Norm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(d)), nn.Parameter(torch.zeros(d))

    def forward(self, x):
        return F.layer_norm(x, x.shape[-1:], self.g, self.b)


class Lin(nn.Module):
    def __init__(self, cin, cout, bias=True):
        super().__init__()
        self.w = nn.Parameter(torch.randn(cout, cin) * cin**-0.5)
        if bias:
            self.b = nn.Parameter(torch.zeros(cout))

    def forward(self, x):
        return F.linear(x, self.w, self.b if hasattr(self, "b") else None)


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        a, m = nn.Module(), nn.Module()
        a.ln, a.f_q, a.f_k, a.f_v, a.f_c = Norm(d), Lin(d, d), Lin(d, d, False), Lin(d, d), Lin(d, d)
        m.ln, m.f_1, m.f_2 = Norm(d), Lin(d, 4 * d), Lin(4 * d, d)
        self.f_attn, self.f_mlp = a, m

    def forward(self, x, causal):
        n, l, d = x.shape
        h, a = self.f_attn.ln(x), self.f_attn
        q, k, v = (f(h).view(n, l, d // 64, 64).transpose(1, 2) for f in (a.f_q, a.f_k, a.f_v))
        x = x + a.f_c(F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).reshape(n, l, d))
        return x + self.f_mlp.f_2(F.gelu(self.f_mlp.f_1(self.f_mlp.ln(x))))


class Tower(nn.Module):
    """Blocks and output, which both towers share."""

    def __init__(self, d, layers):
        super().__init__()
        self.blocks, self.layers = nn.Module(), layers
        self.blocks.input, self.blocks.output = nn.Module(), nn.Module()
        for i in range(layers):
            setattr(self.blocks, f"block_{i}", Block(d))
        self.blocks.output.ln, self.blocks.output.f = Norm(d), Lin(d, EMBED, False)

    def run(self, x, causal=False):
        for i in range(self.layers):
            x = getattr(self.blocks, f"block_{i}")(x, causal)
        return x

    def start(self, clip, norm, proj):
        """Some of the blocks of the box's image tower: all but the activation is the same function."""
        for i, k in enumerate(LAYERS):
            mine, b = getattr(self.blocks, f"block_{i}"), clip.encoder.layers[k]
            for ln, old in ((mine.f_attn.ln, b.layer_norm1), (mine.f_mlp.ln, b.layer_norm2)):
                ln.g.data, ln.b.data = old.weight.data.clone(), old.bias.data.clone()
            for f, old in ((mine.f_attn.f_q, b.self_attn.q_proj), (mine.f_attn.f_k, b.self_attn.k_proj), (mine.f_attn.f_v, b.self_attn.v_proj),
                           (mine.f_attn.f_c, b.self_attn.out_proj), (mine.f_mlp.f_1, b.mlp.fc1), (mine.f_mlp.f_2, b.mlp.fc2)):
                f.w.data = old.weight.data.clone()
                if hasattr(f, "b"):  # a key's bias adds the same to all of a query's scores
                    f.b.data = old.bias.data.clone()
        o = self.blocks.output
        o.ln.g.data, o.ln.b.data, o.f.w.data = norm.weight.data.clone(), norm.bias.data.clone(), proj.weight.data.clone()


class Image(Tower):
    def __init__(self, clip):
        d, p = VISION["width"], VISION["patch"]
        super().__init__(d, len(LAYERS))
        m, i = clip.vision.vision_model, self.blocks.input
        e = m.embeddings
        i.w_t = nn.Parameter(e.class_embedding.data.expand(1000, d).clone())
        i.patch_proj = nn.Parameter(e.patch_embedding.weight.data.clone())
        i.w_pos, i.ln = nn.Parameter(e.position_embedding.weight.data.clone()), Norm(d)
        i.ln.g.data, i.ln.b.data = m.pre_layrnorm.weight.data.clone(), m.pre_layrnorm.bias.data.clone()
        self.patch = p
        self.start(m, m.post_layernorm, clip.vision.visual_projection)

    def forward(self, x, t):
        """x [N,3,64,64], -1 to 1, noisy; t [N]."""
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (MEAN, STD))
        i, h = self.blocks.input, ((x + 1) * 127.5 - mean) / std
        h = F.conv2d(h, i.patch_proj, stride=self.patch).flatten(2).transpose(1, 2)
        h = i.ln(torch.cat((i.w_t[t][:, None].to(h.dtype), h), 1) + i.w_pos)
        o = self.blocks.output
        return o.f(o.ln(self.run(h)[:, 0]))


class Text(Tower):
    def __init__(self):
        d = WORDS["width"]
        super().__init__(d, WORDS["layers"])
        i = self.blocks.input
        i.w_voc, i.w_pos = (nn.Parameter(0.02 * torch.randn(TEXT[k], d)) for k in ("vocab", "context"))

    def forward(self, ids, mask):
        i, o = self.blocks.input, self.blocks.output
        h = self.run(i.w_voc[ids] + i.w_pos[: ids.shape[1]], True)
        return o.f(o.ln(h[torch.arange(len(ids), device=h.device), mask.sum(1) - 1]))
