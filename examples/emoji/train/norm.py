"""norm.py: GroupNorm (+ scale and shift) (+ SiLU) by norm.c, forward and backward; torch's own where the input is not bf16 of a CPU."""
import ctypes
import functools
import pathlib
import subprocess
import tempfile

import torch
import torch.nn.functional as F


def build():
    out = pathlib.Path(tempfile.mkdtemp()) / "norm.so"
    try:
        subprocess.run(["cc", "-Ofast", "-march=native", "-mprefer-vector-width=512", "-fopenmp", "-shared", "-fPIC", "-o", str(out),
                        str(pathlib.Path(__file__).parent / "norm.c"), "-lm"], check=True)
        return ctypes.CDLL(str(out))
    except (OSError, subprocess.CalledProcessError):
        return None


@functools.cache
def library():
    return build()


def ptr(t):
    return ctypes.c_void_p(t.data_ptr())


class Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, scale, shift, groups, eps, act):
        n, c, h, w = x.shape
        dims = [ctypes.c_long(v) for v in (n, h * w, c)]
        sums = torch.empty(n, 2, c)
        lib = library()
        lib.norm_sums(ptr(x), ptr(sums), *dims)
        s = sums.view(n, 2, groups, -1).sum(3) / (h * w * c // groups)
        mean = s[:, 0]
        rstd = (s[:, 1] - mean * mean).clamp_min(0).add(eps).rsqrt()
        mean, rstd = (v.repeat_interleave(c // groups, 1) for v in (mean, rstd))
        one = 1.0 if scale is None else 1 + scale
        a = (rstd * weight * one).contiguous()
        b = (bias - mean * rstd * weight) * one
        b = (b if shift is None else b + shift).contiguous()
        y = torch.empty_like(x)
        lib.norm_apply(ptr(x), ptr(y), ptr(a), ptr(b), *dims, int(act))
        ctx.save_for_backward(x, weight, bias, scale, a, b, mean, rstd)
        ctx.groups, ctx.act = groups, act
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, bias, scale, a, b, mean, rstd = ctx.saved_tensors
        n, c, h, w = x.shape
        g, m = ctx.groups, h * w * c // ctx.groups
        dims = [ctypes.c_long(v) for v in (n, h * w, c)]
        dy = dy.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        d, sums = torch.empty_like(x), torch.empty(n, 2, c)
        lib = library()
        lib.norm_back(ptr(x), ptr(dy), ptr(d), ptr(a), ptr(b), ptr(sums), *dims, int(ctx.act))
        s0 = sums[:, 0]
        x1 = rstd * (sums[:, 1] - mean * s0)  # sum of dz xhat
        one = 1.0 if scale is None else 1 + scale
        k = weight * one
        m1, m2 = ((k * v).reshape(n, g, -1).sum(2).div(m).repeat_interleave(c // g, 1) for v in (s0, x1))
        # dx = rstd (k dz - m1 - xhat m2) = a dz - (rstd m1 - mean rstd^2 m2) - rstd^2 m2 x
        v = (rstd * rstd * m2).contiguous()
        u = (rstd * m1 - mean * v).contiguous()
        lib.norm_finish(ptr(x), ptr(d), ptr(a), ptr(u), ptr(v), *dims)
        return (d, (one * x1).sum(0), (one * s0).sum(0), None if scale is None else weight * x1 + bias * s0, None if scale is None else s0, None, None, None)


def norm(x, weight, bias, groups, eps, scale=None, shift=None, act=True):
    """scale, shift: [N,C,1,1] or None."""
    if x.device.type == "cpu" and x.dtype == torch.bfloat16 and library():
        flat = lambda t: None if t is None else t.flatten(1).float().contiguous()
        return Fused.apply(x.contiguous(memory_format=torch.channels_last), weight, bias, flat(scale), flat(shift), groups, eps, act)
    x = F.group_norm(x, groups, weight.to(x.dtype), bias.to(x.dtype), eps)
    if scale is not None:
        x = x * (1 + scale) + shift
    return F.silu(x) if act else x
