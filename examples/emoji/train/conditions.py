"""conditions.py: what decoder and prior are told, and their weights from a folder that ships."""
import pathlib

import torch


def padded(tok, texts, length=0):
    """Token ids [N,L] and mask [N,L]; L is that of the longest text, or the length that is given."""
    rows = [tok.encode(t, plain=True) for t in texts]
    ids = torch.zeros(len(rows), length or max(map(len, rows)), dtype=torch.long)
    for k, r in enumerate(rows):
        ids[k, : len(r)] = torch.tensor(r)
    return ids, torch.arange(ids.shape[1]) < torch.tensor([len(r) for r in rows])[:, None]


def of_ids(clip, ids, mask):
    """Text embeddings [N,D], states [N,L,D], mask [N,L]."""
    states = clip.text.states(ids)
    return clip.text.pool(states, ids).float(), states.float(), mask


def shipped(folder, name):
    """The tensors of one part of an exported folder, in float32."""
    from safetensors.torch import load_file
    return {k: v.float() for k, v in load_file(pathlib.Path(folder) / name / "diffusion_pytorch_model.safetensors").items()}
