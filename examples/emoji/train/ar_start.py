"""ar_start.py: the weights with which the autoregressive prior begins: a regression of the image's components on the text embedding.

A transformer of this kind learns late that the row of code k wants component k of what the text says: by then a shared CPU has spent
hours.  So that is written into its first two layers, and training goes on from there.

    layer 0, MLP         on the row of the text embedding: 128 components of the text to the K of the image and the dot product that such a
                         text has, learned here by itself
    layer 1, attention   every later row copies them from that row; and from the row of the dot product what more of it adds to each component
    layer 1, MLP         hidden unit j is open on the row of code j only: it passes component j on as TILT
    to_logits            adds TILT times the place of a bucket in its range; with the parabola in position_logits that is
                         the logarithm of a normal distribution around the predicted component

The other heads and hidden units, and the layers after these, begin with random weights, and what they give with zeros.  Two components of +BIG
and -BIG keep LayerNorm's scale constant; a component that is always zero shows what LayerNorm has subtracted.
"""
import torch
import torch.nn.functional as F
from torch import nn

TEXT, Z, BIG, FLAG, SAID, DOT, ZERO = 128, 128, 100.0, 250, 251, 252, 253    # text components at 0, the image's at Z
C, GATE, SHARP, KILL, SCALE = 6.0, 20.0, 30.0, 12.0, 100.0
EPS = 1e-5


def regression(x, y, norm, steps, seed=1):
    """An MLP of 1,000 hidden units from h [N,D], the row of the text embedding, to y [N,K+1], as layer 0 has it."""
    torch.manual_seed(seed)
    n, d = x.shape
    first, second = nn.Linear(TEXT, 1000), nn.Linear(1000, y.shape[1])
    opt = torch.optim.AdamW([*first.parameters(), *second.parameters()], lr=3e-3, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 3e-3, total_steps=steps)

    def run(x):
        s = F.layer_norm(x, (d,), eps=EPS) * norm
        z = second(F.gelu(first(s[:, :TEXT] - s[:, ZERO:ZERO + 1])))
        h = torch.cat((x[:, :Z], z, x[:, Z + z.shape[1]:]), 1)
        return z / (h.var(1, correction=0, keepdim=True) + EPS).sqrt() * norm    # as LayerNorm shows it to layer 1

    for _ in range(steps):
        i = torch.randint(0, n, (256,))
        loss = (run(x[i]) - y[i]).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        plan.step()
    return first, second, run


@torch.no_grad()
def begin(net, embeds, image, near, held, steps=1500):
    """embeds, image [N,E], near [N] their cosines; the last `held` rows are not learned from.  pca and all edges of net are set, and it has
    Smooth tables."""
    d, k = net.norm_out.weight.shape[0], net.k
    assert d == 256 and k <= TEXT - 2 and Z + k < FLAG - 10 and len(net.transformer_blocks) > 2
    tilt, free = Z + k + 1, slice(Z + k + 2, FLAG)
    norm = (2 * BIG**2 / d) ** 0.5
    c = (image - net.pca.mean) @ net.pca.components.T
    spread, dots = c[:-held].std(0), near[:-held]
    want = torch.cat((c / spread, ((near - dots.mean()) / dots.std())[:, None]), 1)
    for b in net.transformer_blocks:
        for m in (b.attn1.to_out[0], b.ff.net[2]):
            m.weight.zero_(), m.bias.zero_()
    for m in [*[x for b in net.transformer_blocks for x in (b.norm1, b.norm3)], net.norm_out]:
        m.weight.fill_(norm)
        m.weight[-2:] = 0
    # rows
    mean = embeds[:-held].mean(0)
    w, q = torch.linalg.eigh((embeds[:-held] - mean).T @ (embeds[:-held] - mean) / len(embeds))
    w, q = w.flip(0)[:TEXT], q.flip(1)[:, :TEXT]
    p = net.embedding_proj
    p.weight.zero_(), p.bias.zero_()
    p.weight[:TEXT] = (q / w.sqrt() * (w / w[0]).pow(0.25)).T
    p.bias[:TEXT] = -p.weight[:TEXT] @ mean
    p.bias[FLAG], p.bias[-2], p.bias[-1] = 1, BIG, -BIG
    p = net.encoder_hidden_states_proj
    p.weight[: free.start], p.weight[FLAG:], p.bias[:] = 0, 0, 0
    p.bias[-2], p.bias[-1] = BIG, -BIG
    place = net.positional_embedding[0]
    place[:, : free.start], place[:, FLAG:] = 0, 0
    rows = place[net.text + 1:]
    rows[:, :k] = torch.eye(k)
    rows[:, -2], rows[:, -1] = BIG, -BIG
    for t in (net.dot_embedding, net.code_embedding):
        t.coefficients[:, : free.start], t.coefficients[:, FLAG:] = 0, 0
    # layer 0
    with torch.enable_grad():
        first, second, run = regression(net.embedding_proj(embeds[:-held]).detach(), want[:-held], norm, steps)
    rest = want - run(net.embedding_proj(embeds))
    rest, off = rest[:, :k], rest[:, k]
    slope = rest[:-held].T @ off[:-held] / off[:-held].square().sum()
    left = (rest - off[:, None] * slope)[-held:].square().mean(0)    # of a variance of 1
    print(f"without the dot product {100 * rest[-held:].square().mean():.2f} % would be left, with it {100 * left.mean():.2f} %")
    mlp = net.transformer_blocks[0].ff.net
    mlp[0].proj.weight[:1000, TEXT:], mlp[0].proj.weight[:1000, :TEXT] = 0, first.weight
    mlp[0].proj.weight[:1000, ZERO] = -first.weight.sum(1) - KILL
    mlp[0].proj.weight[:1000, FLAG] = KILL
    mlp[0].proj.bias[:1000] = first.bias - KILL    # closed on all other rows
    mlp[2].weight[Z : Z + k + 1, :1000], mlp[2].bias[Z : Z + k + 1] = second.weight, second.bias
    # layer 1
    a, mlp = net.transformer_blocks[1].attn1, net.transformer_blocks[1].ff.net
    head = d // a.heads
    for h in range(-(-(k + 1) // head)):
        s = slice(h * head, (h + 1) * head)
        for m in (a.to_q, a.to_k, a.to_v):
            m.weight[s], m.bias[s] = 0, 0
        a.to_q.bias[h * head] = head**0.5
        a.to_k.weight[h * head, FLAG], a.to_k.weight[h * head, ZERO] = SHARP, -SHARP
    for j in range(k + 1):
        a.to_v.weight[j, Z + j], a.to_v.weight[j, ZERO] = 1, -1
    a.to_out[0].weight[Z : Z + k, :k], a.to_out[0].weight[Z : Z + k, k] = torch.eye(k), -slope
    h, at = d // 2, (torch.arange(net.buckets) + 0.5) / net.buckets    # the third head of four: the row of the dot product
    for m in (a.to_q, a.to_k, a.to_v):
        m.weight[h : h + head], m.bias[h : h + head] = 0, 0
    a.to_q.bias[h] = head**0.5
    a.to_k.weight[h, SAID], a.to_k.weight[h, ZERO] = SHARP, -SHARP
    a.to_v.weight[h, DOT], a.to_v.weight[h, ZERO] = 1, -1
    a.to_out[0].weight[Z : Z + k, h] = slope
    rows[0, SAID] = 1
    lo, hi = net.dot.edges
    value = (lo + at * (hi - lo) - dots.mean()) / dots.std()
    net.dot_embedding.coefficients[:, DOT] = torch.linalg.lstsq(net.dot_embedding.wave, value[:, None]).solution[:, 0]
    r = (net.code.edges[:, 1] - net.code.edges[:, 0]) / 2 / spread
    middle = net.code.edges.mean(1) / spread
    steep = r / left / SCALE
    m = mlp[0].proj
    m.weight[:k], m.bias[:k] = 0, C - GATE
    for j in range(k):
        m.weight[j, Z + j], m.weight[j, j], m.weight[j, FLAG], m.weight[j, ZERO] = 1, GATE, -2 * GATE, GATE - 1    # closed on the text's row
    mlp[2].weight[tilt, :k] = steep
    rows[:, tilt] = -(C + middle) * steep
    # scores
    at = at * 2 - 1
    line = torch.linalg.lstsq(net.to_logits.wave, SCALE * at[:, None]).solution[:, 0]
    net.to_logits.coefficients[:, tilt], net.to_logits.coefficients[:, ZERO] = line, -line
    net.position_logits[1:] = -((r * r / left / 2)[:, None] * at * at)
    return (left * spread**2).sum() / (spread**2).sum()
