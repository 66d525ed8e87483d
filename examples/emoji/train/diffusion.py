"""diffusion.py: the cosine schedule, the losses and the ancestral sampler of UnCLIPScheduler, as torch code for training."""
import math

import numpy as np
import torch


def bar(u):
    return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2


BETA = torch.tensor([min(1 - bar((i + 1) / 1000) / bar(i / 1000), 0.999) for i in range(1000)], dtype=torch.float64).float()
ABAR = (1 - BETA).double().cumprod(0).float()


def at(table, t):
    return table.to(t.device)[t].view(-1, 1, 1, 1)


def noised(x0, t, noise):
    return at(ABAR, t).sqrt() * x0 + (1 - at(ABAR, t)).sqrt() * noise


def draw(rng, shape, offset, coarse=0.0, device="cpu"):
    """Gaussian noise, plus a shift of each channel and a coarse pattern of 8 x 8.

    In 7 or 25 steps the first ones leave errors of low frequency that a network trained on white noise takes for
    the picture: white grounds come out brown.  Trained with some of them, it asks its condition instead."""
    n, c, h, w = shape
    normal = lambda *s: torch.from_numpy(rng.standard_normal(s, dtype=np.float32)) if device == "cpu" else torch.randn(s, device=device)
    x = normal(n, c, h, w) + offset * normal(n, c, 1, 1)
    return x + coarse * torch.nn.functional.interpolate(normal(n, c, 8, 8), size=(h, w), mode="bilinear") if coarse else x


def weight(t, gamma=5.0):
    """Min-SNR (Hang et al. 2023) for a network that predicts the noise: min(SNR, gamma) / SNR.

    Where there is more noise than picture it rises again, as SNR^-1/2 up to 4: what is drawn, and on which
    background, is decided there."""
    a = ABAR.to(t.device)[t]
    snr = a / (1 - a)
    return snr.clamp(max=gamma) / snr * snr.rsqrt().clamp(1, 4)


def variance_loss(v, eps, x0, xt, t):
    """Improved DDPM's bound for the learned variance, the mean held fixed: KL(true posterior, predicted), per sample."""
    a, p = at(ABAR, t), at(torch.cat((torch.ones(1), ABAR[:-1])), t)
    beta = at(BETA, t)
    true = ((1 - p) / (1 - a) * beta).clamp_min(1e-20).log()
    true = torch.where(t.view(-1, 1, 1, 1) == 0, math.log(float((1 - ABAR[0]) / (1 - ABAR[1]) * BETA[1])), true)
    frac = (v + 1) / 2
    mine = frac * beta.log() + (1 - frac) * true
    guess = ((xt - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1)
    gap = p.sqrt() * beta / (1 - a) * (x0 - guess)
    return 0.5 * (-1 + mine - true + (true - mine).exp() + gap**2 * (-mine).exp()).mean((1, 2, 3))


def timesteps(n):
    return [int(x) for x in (torch.arange(n, dtype=torch.float64) * 999 / (n - 1)).round().flip(0)]


@torch.no_grad()
def sample(predict, x, steps, clip=1.0, kind="eps", rng=None):
    """predict(x, t, last) -> eps or x0 of x's shape, or twice its channels with the variance.  Ancestral steps."""
    ts = timesteps(steps)
    for k, t in enumerate(ts):
        p = ts[k + 1] if k + 1 < len(ts) else -1
        A, P = ABAR[t], ABAR[p] if p >= 0 else torch.ones(())
        beta = BETA[t] if p == t - 1 else 1 - A / P
        out, v = predict(x, t, p < 0), None
        if kind == "eps" and out.shape[1] == 2 * x.shape[1]:
            out, v = out.chunk(2, 1)
        A, P, beta = A.to(x.device), P.to(x.device), beta.to(x.device)
        x0 = out if kind == "sample" else (x - (1 - A).sqrt() * out) / A.sqrt()
        x0 = x0.clamp(-clip, clip)
        x = P.sqrt() * beta / (1 - A) * x0 + (1 - beta).sqrt() * (1 - P) / (1 - A) * x
        if p >= 0:
            low = ((1 - P) / (1 - A) * beta).clamp_min(1e-20).log()
            s = low if v is None else (v + 1) / 2 * beta.log() + (1 - v) / 2 * low
            x = x + (0.5 * s).exp() * torch.randn(x.shape, generator=rng).to(x.device)
    return x


class Average:
    """Exponential moving average of the parameters, short at first."""

    def __init__(self, net, decay=0.999):
        self.decay, self.n, self.p = decay, 0, [p.detach().clone() for p in net.parameters()]

    def step(self, net):
        self.n += 1
        d = min(self.decay, (1 + self.n) / (20 + self.n))
        torch._foreach_mul_(self.p, d)
        torch._foreach_add_(self.p, [p.detach() for p in net.parameters()], alpha=1 - d)

    def swap(self, net):
        for a, p in zip(self.p, net.parameters()):
            p.data, a.data = a.data, p.data


def orthogonal(g):
    """The nearest matrix with orthonormal rows (or columns), as Muon's five Newton-Schulz steps find it.

    The steps are made on g g^T, which is small beside g: for [256, 2304] a third of the multiplications.  In f32,
    because bf16 is emulated on many CPUs."""
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / (x.norm() + 1e-7)
    a = x @ x.T
    one = torch.eye(len(a), device=a.device)
    q = one
    for k in range(5):
        p = 3.4445 * one - 4.7750 * a + 2.0315 * (a @ a)
        q = p @ q
        if k < 4:
            a = p @ a @ p
    x = q @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon(torch.optim.Optimizer):
    """Jordan et al. 2024: momentum, made orthogonal, scaled to the size of AdamW's steps (Liu et al. 2025)."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            m = group["momentum"]
            for p in group["params"]:
                s = self.state[p]
                if "momentum_buffer" not in s:
                    s["momentum_buffer"] = torch.zeros_like(p.grad)
                s["momentum_buffer"].lerp_(p.grad, 1 - m)
                u = orthogonal(p.grad.lerp(s["momentum_buffer"], m))
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-group["lr"] * 0.2 * max(p.shape) ** 0.5)


class Optimizer:
    """Muon for the matrices of the blocks (a convolution is one [out, in * 9] matrix), AdamW for all else."""

    def __init__(self, net, lr, muon):
        self.flat, rest = [], []
        for name, p in net.named_parameters():
            if muon and p.dim() >= 2 and any(k in name for k in ("blocks.", "mid_block.", ".block.", ".mid.", ".layers.")) and "time_emb" not in name:
                self.flat.append((p, torch.nn.Parameter(p.detach().view(len(p), -1))))  # the same memory
            else:
                rest.append(p)
        self.rest = rest
        self.list = [(torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=0.0), lr)]
        if self.flat:
            self.list.append((Muon([f for _, f in self.flat], muon), muon))

    def step(self, rate):
        torch.nn.utils.clip_grad_norm_(self.rest, 1.0)
        for p, f in self.flat:
            f.grad = p.grad.reshape(f.shape)
        for o, lr in self.list:
            for g in o.param_groups:
                g["lr"] = lr * rate
            o.step()
        for p in self.rest:
            p.grad = None
        for p, f in self.flat:
            p.grad = f.grad = None

    def state_dict(self):
        return [o.state_dict() for o, _ in self.list]

    def load_state_dict(self, d):
        for (o, _), s in zip(self.list, d):
            o.load_state_dict(s)
