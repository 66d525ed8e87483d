"""unet.py: the U-Net of decoder and upsampler, parameter names as in diffusers' files.

The topology is guided-diffusion's as Karlo uses it: residual blocks that halve and double
(resampling between norm1 and conv1), a skip after every block, attention over pixels and
added context keys in the lower levels of the decoder.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from norm import norm

DECODER = dict(sample_size=64, cin=3, cout=6, widths=(32, 64, 128, 256), layers=1, attention=(False, False, True, True), head=32,
               groups=16, context=192, scale_shift=True)
UPSAMPLER = dict(sample_size=256, cin=6, cout=3, widths=(32, 48, 64, 128), layers=1, attention=(False,) * 4, head=0,
                 groups=16, context=0, scale_shift=False)


def sinusoid(t, d):
    f = torch.exp(-math.log(10000) * torch.arange(d // 2, dtype=torch.float32, device=t.device) / (d // 2))
    a = t.float()[:, None] * f
    return torch.cat((a.cos(), a.sin()), 1)


class Norm(nn.GroupNorm):
    """GroupNorm and SiLU; statistics in float32."""

    def forward(self, x, scale=None, shift=None, act=True):
        return norm(x, self.weight, self.bias, self.num_groups, self.eps, scale, shift, act)


class Res(nn.Module):
    def __init__(self, cin, cout, time, scale_shift, groups, move=None):
        super().__init__()
        self.move, self.scale_shift = move, scale_shift
        self.norm1, self.conv1 = Norm(groups, cin), nn.Conv2d(cin, cout, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, 2 * cout if scale_shift else cout)
        self.norm2, self.conv2 = Norm(groups, cout), nn.Conv2d(cout, cout, 3, padding=1)
        if cin != cout:
            self.conv_shortcut = nn.Conv2d(cin, cout, 1)

    def resample(self, x):
        return F.avg_pool2d(x, 2) if self.move == "down" else F.interpolate(x, scale_factor=2.0, mode="nearest") if self.move == "up" else x

    def forward(self, x, e):
        """e: SiLU of the time embedding."""
        h = self.conv1(self.resample(self.norm1(x)))
        p = self.time_emb_proj(e)[:, :, None, None].to(h.dtype)
        if self.scale_shift:
            h = self.norm2(h, *p.chunk(2, 1))
        else:
            h = self.norm2(h + p)
        x = self.resample(x)
        return (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x) + self.conv2(h)


class Attention(nn.Module):
    def __init__(self, c, context, head, groups):
        super().__init__()
        self.head = head
        self.group_norm = Norm(groups, c)
        for n in ("to_q", "to_k", "to_v"):
            setattr(self, n, nn.Linear(c, c))
        self.add_k_proj, self.add_v_proj = nn.Linear(context, c), nn.Linear(context, c)
        self.to_out = nn.ModuleList([nn.Linear(c, c)])

    def forward(self, x, ctx, mask):
        n, c, h, w = x.shape
        y = self.group_norm(x, act=False).flatten(2).transpose(1, 2)
        q, k, v = (m(y).view(n, -1, c // self.head, self.head).transpose(1, 2) for m in (self.to_q, self.to_k, self.to_v))
        kc, vc = (m(ctx).view(n, -1, c // self.head, self.head).transpose(1, 2) for m in (self.add_k_proj, self.add_v_proj))
        m = F.pad(mask, (0, h * w), value=0.0)[:, None, None, :].to(q.dtype)
        k, v = torch.cat((kc, k), 2), torch.cat((vc, v), 2)
        if x.is_cuda:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=m.expand(-1, 1, h * w, -1))
        else:  # written out: faster on a CPU than the fused kernel
            y = ((q * self.head**-0.5) @ k.transpose(2, 3) + m).softmax(3) @ v
        y = self.to_out[0](y.transpose(1, 2).reshape(n, h * w, c))
        return x + y.transpose(1, 2).reshape(n, c, h, w).contiguous(memory_format=torch.channels_last)


class Level(nn.Module):
    """One down_blocks.i or up_blocks.i: residual blocks (each with attention or not), then one that moves."""

    def __init__(self, pairs, att, time, move, cfg):
        super().__init__()
        ss, g, out = cfg["scale_shift"], cfg["groups"], pairs[0][1]
        self.resnets = nn.ModuleList(Res(a, b, time, ss, g) for a, b in pairs)
        if att:
            self.attentions = nn.ModuleList(Attention(out, cfg["context"], cfg["head"], g) for _ in pairs)
        if move:
            setattr(self, move + "samplers", nn.ModuleList([Res(out, out, time, ss, g, move)]))


class UNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        w, n, time = cfg["widths"], cfg["layers"], 4 * cfg["widths"][0]
        self.cfg, top = cfg, len(w) - 1
        self.conv_in = nn.Conv2d(cfg["cin"], w[0], 3, padding=1)
        self.time_embedding = nn.Module()
        self.time_embedding.linear_1, self.time_embedding.linear_2 = nn.Linear(w[0], time), nn.Linear(time, time)
        skips, down = [w[0]], []
        for i, c in enumerate(w):
            before = w[max(i - 1, 0)]
            down.append(Level([(before if j == 0 else c, c) for j in range(n)], cfg["attention"][i], time, "down" if i < top else None, cfg))
            skips += [c] * (n + (i < top))
        self.down_blocks = nn.ModuleList(down)
        self.mid_block = nn.Module()
        self.mid_block.resnets = nn.ModuleList(Res(w[-1], w[-1], time, cfg["scale_shift"], cfg["groups"]) for _ in range(2))
        if any(cfg["attention"]):
            self.mid_block.attentions = nn.ModuleList([Attention(w[-1], cfg["context"], cfg["head"], cfg["groups"])])
        up, h = [], w[-1]
        for i in range(top, -1, -1):
            pairs = []
            for _ in range(n + 1):
                pairs.append((h + skips.pop(), w[i]))
                h = w[i]
            up.append(Level(pairs, cfg["attention"][i], time, "up" if i else None, cfg))
        self.up_blocks = nn.ModuleList(up)
        self.conv_norm_out, self.conv_out = Norm(cfg["groups"], w[0]), nn.Conv2d(w[0], cfg["cout"], 3, padding=1)
        for m in self.modules():  # every branch starts as nothing
            last = m.conv2 if isinstance(m, Res) else m.to_out[0] if isinstance(m, Attention) else m.conv_out if m is self else None
            if last is not None:
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)

    def forward(self, x, t, extra=None, ctx=None, mask=None):
        """x [N,C,H,W], t [N] in 0..999; extra [N,4 w0] is added to the time embedding; ctx [N,L,D] and mask [N,L] (0 or -10000)."""
        e = self.time_embedding.linear_2(F.silu(self.time_embedding.linear_1(sinusoid(t, self.cfg["widths"][0]))))
        e = F.silu(e if extra is None else e + extra)
        att = lambda level, j, h: level.attentions[j](h, ctx, mask) if hasattr(level, "attentions") else h
        h = self.conv_in(x)
        skips = [h]
        for d in self.down_blocks:
            for j, r in enumerate(d.resnets):
                h = att(d, j, r(h, e))
                skips.append(h)
            if hasattr(d, "downsamplers"):
                h = d.downsamplers[0](h, e)
                skips.append(h)
        h = self.mid_block.resnets[1](att(self.mid_block, 0, self.mid_block.resnets[0](h, e)), e)
        for u in self.up_blocks:
            for j, r in enumerate(u.resnets):
                h = att(u, j, r(torch.cat((h, skips.pop()), 1), e))
            if hasattr(u, "upsamplers"):
                h = u.upsamplers[0](h, e)
        return self.conv_out(self.conv_norm_out(h))


class TextProj(nn.Module):
    """UnCLIPTextProjModel: what the decoder is told, from the CLIP image embedding, the text embedding and the text states."""

    def __init__(self, embed, time, context, extra=4):
        super().__init__()
        self.extra, self.context = extra, context
        self.learned_classifier_free_guidance_embeddings = nn.Parameter(torch.zeros(embed))
        self.embedding_proj = nn.Linear(embed, time)
        self.clip_image_embeddings_project_to_time_embeddings = nn.Linear(embed, time)
        self.clip_extra_context_tokens_proj = nn.Linear(embed, extra * context)
        self.encoder_hidden_states_proj = nn.Linear(embed, context)
        self.text_encoder_hidden_states_norm = nn.LayerNorm(context)

    def forward(self, image, text, states, mask):
        """image, text [N,D]; states [N,L,D]; mask [N,L] bool.  Returns time addition, context [N,extra+L,Dc], mask as 0 or -10000."""
        add = self.embedding_proj(text) + self.clip_image_embeddings_project_to_time_embeddings(image)
        tokens = self.clip_extra_context_tokens_proj(image).view(len(image), self.context, self.extra).transpose(1, 2)
        ctx = torch.cat((tokens, self.text_encoder_hidden_states_norm(self.encoder_hidden_states_proj(states)).to(tokens.dtype)), 1)
        return add, ctx, F.pad(torch.where(mask, 0.0, -10000.0), (self.extra, 0))
