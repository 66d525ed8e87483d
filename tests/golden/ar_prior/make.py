#!/usr/bin/env python3
"""make.py: a tiny autoregressive prior with random weights, its scores and its draws, by the torch class of the recipe.

Run it from the top of the repository, with torch and safetensors.  It writes next to itself:
prior/              config.json and model.safetensors, the layout of prior(1)
io.safetensors      embeds [2,E], states [2,77,E], mask [2,77]: the texts of ../karlo/text.clip and ../karlo/empty.clip
                    dot [2], codes [2,K]: tokens that were given; logits [2,2+K-1,B]: the scores for the dot product and the K codes
                    z [3,E] and z_codes [3,K]: the codes of embeddings; z_back [3,E]: the embeddings of these codes
                    draw.NAME.{dot [n], codes [n,K], embed [n,E]} and, in the metadata, draw.NAME: "n guidance temperature quantile seed"
"""
import json
import pathlib
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, "examples/emoji/train")
from ar_prior import ARPrior  # noqa: E402

torch.manual_seed(5)
here = pathlib.Path(__file__).parent
K, AR = 12, dict(heads=2, head=16, layers=3, embed=32, text=77, buckets=64)
net = ARPrior(K, **AR)
for n, p in net.named_parameters():
    p.data = torch.randn(p.shape) * (0.6 if p.dim() == 2 else 0.3) / (p.shape[-1] ** 0.5 if p.dim() == 2 else 1) + (n.endswith(("norm1.weight", "norm3.weight", "norm_out.weight")))
net.to_logits.weight.data *= 6
net.pca.mean.data = torch.randn(AR["embed"])
net.pca.components.data = torch.linalg.qr(torch.randn(AR["embed"], K))[0].T.contiguous()
wide = torch.linspace(6, 1, K)
net.code.edges.data = torch.stack((-wide - torch.rand(K), wide + torch.rand(K)), 1)
net.dot.edges.data = torch.tensor([0.1, 0.6])
net.dot.histogram.data = torch.rand(AR["buckets"]) * torch.linspace(-3, 3, AR["buckets"]).square().neg().exp()
net.dot.histogram.data[[0, 1, 30, 63]] = 0.0
net.dot.histogram.data /= net.dot.histogram.data.sum()


def text(name):
    """Embedding and states of the first record of a stream, padded to 77."""
    r = json.loads(subprocess.run(["build/bin/record-json", "--arrays", f"tests/golden/karlo/{name}.clip"], capture_output=True, check=True).stdout)["data"]
    states = torch.tensor(r["text_states"])
    out = torch.zeros(1, AR["text"], AR["embed"])
    out[0, : len(states)] = states
    return torch.tensor(r["text_embed"])[None], out, torch.arange(AR["text"])[None] < len(states)


(here / "prior").mkdir(exist_ok=True)
net = net.eval()
file = {n: (v.half() if n.startswith("transformer_blocks.1") else v).detach().contiguous() for n, v in net.tensors().items()}
save_file(file, here / "prior/model.safetensors", metadata={"format": "pt"})
net.load_state_dict({n: v.float() for n, v in file.items()})
config = dict(_class_name="ARPriorTransformer", num_attention_heads=AR["heads"], attention_head_dim=AR["head"], num_layers=AR["layers"],
              embedding_dim=AR["embed"], num_embeddings=AR["text"], num_codes=K, num_buckets=AR["buckets"])
(here / "prior/config.json").write_text(json.dumps(config, indent=2) + "\n")
told, empty = text("text"), text("empty")
both = tuple(torch.cat(v) for v in zip(told, empty))
dot, codes = torch.randint(0, AR["buckets"], (2,)), torch.randint(0, AR["buckets"], (2, K))
z = net.pca.mean + 3 * torch.randn(3, AR["embed"])
out = dict(embeds=both[0], states=both[1], mask=both[2].float(), dot=dot.float(), codes=codes.float(), z=z, z_codes=net.codes(z).float(), z_back=net.embedding(net.codes(z)))
meta = {}
with torch.no_grad():
    out["logits"] = net(*both, dot, codes[:, :-1])
    for name, n, guidance, temperature, quantile, seed in (("one", 1, 4.0, 1.0, 0.5, 0), ("four", 4, 3.0, 0.7, 0.85, 7), ("free", 3, 1.0, 1.0, 0.0, 3)):
        d, c, e = net.draw(told, empty, n, guidance, temperature, quantile, torch.Generator().manual_seed(seed))
        out[f"draw.{name}.dot"], out[f"draw.{name}.codes"], out[f"draw.{name}.embed"] = d.float(), c.float(), e
        meta[f"draw.{name}"] = f"{n} {guidance} {temperature} {quantile} {seed}"
save_file({n: v.detach().contiguous() for n, v in out.items()}, here / "io.safetensors", metadata=meta)
print(meta, {n: list(v.shape) for n, v in out.items()})
print("scores", out["logits"].std(), "entropy of code 3", torch.distributions.Categorical(logits=out["logits"][0, 3]).entropy())
