"""vqgan.py: the picture code of the DALL-E in the box: taming-transformers' VQModel, its parameter names, 128 pixels as 16 x 16 of 1,024 codes."""
import torch
import torch.nn.functional as F
from torch import nn

VQ = dict(ch=64, ch_mult=(1, 1, 1, 2), num_res_blocks=1, attn_resolutions=(16,), resolution=128, z=64, codes=1024)


def norm(c):
    return nn.GroupNorm(32, c, eps=1e-6)


class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.norm1, self.conv1 = norm(cin), nn.Conv2d(cin, cout, 3, padding=1)
        self.norm2, self.conv2 = norm(cout), nn.Conv2d(cout, cout, 3, padding=1)
        if cin != cout:
            self.nin_shortcut = nn.Conv2d(cin, cout, 1)

    def forward(self, x):
        h = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = norm(c)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(c, c, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (m(h).flatten(2).transpose(1, 2) for m in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.proj_out(y.transpose(1, 2).reshape(x.shape))


def middle(c):
    m = nn.Module()
    m.block_1, m.attn_1, m.block_2 = Block(c, c), Attention(c), Block(c, c)
    return m


def through(level, x):
    for j, b in enumerate(level.block):
        x = b(x)
        if len(level.attn):
            x = level.attn[j](x)
    return x


def mid(m, x):
    return m.block_2(m.attn_1(m.block_1(x)))


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        w = [c["ch"] * m for m in c["ch_mult"]]
        self.conv_in, self.down = nn.Conv2d(3, w[0], 3, padding=1), nn.ModuleList()
        for i, out in enumerate(w):
            level = nn.Module()
            level.block = nn.ModuleList(Block(w[max(i - 1, 0)] if j == 0 else out, out) for j in range(c["num_res_blocks"]))
            level.attn = nn.ModuleList(Attention(out) for _ in level.block if c["resolution"] >> i in c["attn_resolutions"])
            if i < len(w) - 1:
                level.downsample = nn.Module()
                level.downsample.conv = nn.Conv2d(out, out, 3, stride=2)
            self.down.append(level)
        self.mid, self.norm_out, self.conv_out = middle(w[-1]), norm(w[-1]), nn.Conv2d(w[-1], c["z"], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for level in self.down:
            x = through(level, x)
            if hasattr(level, "downsample"):
                x = level.downsample.conv(F.pad(x, (0, 1, 0, 1)))
        return self.conv_out(F.silu(self.norm_out(mid(self.mid, x))))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        w = [c["ch"] * m for m in c["ch_mult"]]
        self.conv_in, self.mid, self.up = nn.Conv2d(c["z"], w[-1], 3, padding=1), middle(w[-1]), nn.ModuleList()
        for i, out in enumerate(w):
            level = nn.Module()
            level.block = nn.ModuleList(Block(w[min(i + 1, len(w) - 1)] if j == 0 else out, out) for j in range(c["num_res_blocks"] + 1))
            level.attn = nn.ModuleList(Attention(out) for _ in level.block if c["resolution"] >> i in c["attn_resolutions"])
            if i:
                level.upsample = nn.Module()
                level.upsample.conv = nn.Conv2d(out, out, 3, padding=1)
            self.up.append(level)
        self.norm_out, self.conv_out = norm(w[0]), nn.Conv2d(w[0], 3, 3, padding=1)

    def forward(self, x):
        x = mid(self.mid, self.conv_in(x))
        for level in reversed(self.up):
            x = through(level, x)
            if hasattr(level, "upsample"):
                x = level.upsample.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.norm_out(x)))


class VQModel(nn.Module):
    def __init__(self, c=VQ):
        super().__init__()
        self.c, z = c, c["z"]
        self.encoder, self.decoder = Encoder(c), Decoder(c)
        self.quantize = nn.Module()
        self.quantize.embedding = nn.Embedding(c["codes"], z)
        self.quantize.embedding.weight.requires_grad_(False)  # a moving average: train_vq.py
        self.quant_conv, self.post_quant_conv = nn.Conv2d(z, z, 1), nn.Conv2d(z, z, 1)

    def encode(self, x):
        """Pictures [N,3,S,S], -1 to 1: vectors [N,S/8,S/8,z] before they are rounded to codes."""
        return self.quant_conv(self.encoder(x)).permute(0, 2, 3, 1)

    def codes(self, h):
        """The nearest code of each vector, the first of equals."""
        e = self.quantize.embedding.weight
        with torch.autocast(e.device.type, enabled=False):
            return (e.square().sum(1) - 2 * h.float() @ e.T).argmin(-1)

    def decode(self, q):
        """[N,h,w,z] to pictures."""
        return self.decoder(self.post_quant_conv(q.permute(0, 3, 1, 2)))


def config(c=VQ):
    """config.yaml as taming writes it."""
    d = dict(double_z="false", z_channels=c["z"], resolution=c["resolution"], in_channels=3, out_ch=3, ch=c["ch"],
             ch_mult="[ " + ", ".join(map(str, c["ch_mult"])) + " ]", num_res_blocks=c["num_res_blocks"],
             attn_resolutions="[ " + ", ".join(map(str, c["attn_resolutions"])) + " ]", dropout="0.0")
    return (f"model:\n  target: taming.models.vqgan.VQModel\n  params:\n    embed_dim: {c['z']}\n    n_embed: {c['codes']}\n    ddconfig:\n"
            + "".join(f"      {k}: {v}\n" for k, v in d.items()))
