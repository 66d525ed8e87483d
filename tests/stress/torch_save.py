"""torch_save.py: torch.save's archive, written with Python's own library, and the original Karlo in a tiny size.

save(file, {name: (shape, bytes of f16 or f32)}) writes what torch.save writes for a state dict; a list of tensors is written as a tuple.
karlo(directory) writes prior-ckpt, decoder-ckpt, improved-sr-ckpt and ViT-L-14_stats.th with random weights: the names and
the topology of kakaobrain/karlo, embeddings of 64 as those of make_model's tiny CLIP, levels of 64 channels.
"""
import io, os, pickle, random, struct, sys, types, zipfile
from collections import OrderedDict


class Storage:
    def __init__(self, kind, key, count):
        self.id = ("storage", kind, key, "cpu", count)


class Tensor:
    def __init__(self, storage, shape):
        stride = [1] * len(shape)
        for i in range(len(shape) - 1, 0, -1):
            stride[i - 1] = stride[i] * shape[i]
        self.args = (storage, 0, tuple(shape), tuple(stride), False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.args


def modules():
    """Modules under torch's names, whose names are all that the pickle holds."""
    for name in ("torch", "torch._utils"):
        sys.modules.setdefault(name, types.ModuleType(name))
    for name in ("FloatStorage", "HalfStorage"):
        setattr(sys.modules["torch"], name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        pass
    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    sys.modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2


class Pickler(pickle.Pickler):
    def persistent_id(self, x):
        return x.id if isinstance(x, Storage) else None


def save(file, state):
    modules()
    torch = sys.modules["torch"]
    items = list(state.items()) if isinstance(state, dict) else list(enumerate(state))
    out = []
    for i, (name, (shape, data)) in enumerate(items):
        count = 1
        for d in shape:
            count *= d
        kind = torch.HalfStorage if len(data) == 2 * count else torch.FloatStorage
        out.append((name, Tensor(Storage(kind, str(i), count), shape)))
    f = io.BytesIO()
    Pickler(f, 2).dump(OrderedDict(out) if isinstance(state, dict) else tuple(t for _, t in out))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as z:
        z.writestr("archive/data.pkl", f.getvalue())
        for i, (_, (_, data)) in enumerate(items):
            z.writestr("archive/data/%d" % i, data)
        z.writestr("archive/version", "3\n")


class Weights(dict):
    def __init__(self, r):
        super().__init__()
        self.r = r

    def add(self, name, shape, scale, middle=0.0):
        count = 1
        for d in shape:
            count *= d
        self[name] = (shape, struct.pack("<%de" % count, *(middle + scale * self.r.uniform(-1, 1) for _ in range(count))))

    def norm(self, name, n):
        self.add(name + ".weight", [n], 0.1, 1.0)
        self.add(name + ".bias", [n], 0.05)

    def linear(self, name, n, *k):
        self.add(name + ".weight", [n, *k], (3.0 * k[0]) ** -0.5)
        self.add(name + ".bias", [n], 0.02)

    def conv(self, name, co, ci, side):
        self.add(name + ".weight", [co, ci, side, side], (3.0 * ci * side * side) ** -0.5)
        self.add(name + ".bias", [co], 0.02)

    def residual(self, at, ci, co, time, film):
        self.norm(at + ".in_layers.0", ci)
        self.conv(at + ".in_layers.2", co, ci, 3)
        self.linear(at + ".emb_layers.1", 2 * co if film else co, time)
        self.norm(at + ".out_layers.0", co)
        self.conv(at + ".out_layers.3", co, co, 3)
        if ci != co:
            self.conv(at + ".skip_connection", co, ci, 1)

    def attention(self, at, c, cross):
        self.norm(at + ".norm", c)
        self.linear(at + ".qkv", 3 * c, c, 1)
        self.linear(at + ".encoder_kv", 2 * c, cross, 1)
        self.linear(at + ".proj_out", c, c, 1)

    def unet(self, prefix, levels, decoder, cross=64):
        w = 64    # of all levels: one head
        time = 4 * w
        self.conv(prefix + "input_blocks.0.0", w, 3 if decoder else 6, 3)
        self.linear(prefix + "time_embed.0", time, w)
        self.linear(prefix + "time_embed.2", time, time)
        for l in range(levels):
            for j in range(3):
                self.residual("%sinput_blocks.%d.0" % (prefix, 1 + 4 * l + j), w, w, time, decoder)
                if decoder and l:
                    self.attention("%sinput_blocks.%d.1" % (prefix, 1 + 4 * l + j), w, cross)
            if l + 1 < levels:
                self.residual("%sinput_blocks.%d.0" % (prefix, 4 + 4 * l), w, w, time, decoder)
        self.residual(prefix + "middle_block.0", w, w, time, decoder)
        if decoder:
            self.attention(prefix + "middle_block.1", w, cross)
        self.residual(prefix + "middle_block.%d" % (2 if decoder else 1), w, w, time, decoder)
        for l in range(levels):
            attends = decoder and l + 1 < levels
            for j in range(4):
                self.residual("%soutput_blocks.%d.0" % (prefix, 4 * l + j), 2 * w, w, time, decoder)
                if attends:
                    self.attention("%soutput_blocks.%d.1" % (prefix, 4 * l + j), w, cross)
            if l + 1 < levels:
                self.residual("%soutput_blocks.%d.%d" % (prefix, 4 * l + 3, 2 if attends else 1), w, w, time, decoder)
        self.norm(prefix + "out.0", w)
        self.conv(prefix + "out.2", 6 if decoder else 3, w, 3)


def karlo(directory, seed=1, levels=2):
    r, e = random.Random(seed), 64
    os.makedirs(directory, exist_ok=True)
    p = Weights(r)
    for name, n, k in (("time_embed.0", e, e), ("time_embed.2", e, e), ("clip_img_proj", e, e), ("text_emb_proj", e, e),
                       ("text_enc_proj", e, e), ("out_proj", e, e)):
        p.linear("model." + name, n, k)
    p.add("model.positional_embedding", [1, 81, e], 0.01)
    p.add("model.prd_emb", [1, 1, e], 0.01)
    p.norm("model.final_ln", e)
    for i in range(2):
        at = "model.transformer.resblocks.%d." % i
        for name, n, k in (("attn.c_qkv", 3 * e, e), ("attn.c_proj", e, e), ("mlp.c_fc", 4 * e, e), ("mlp.c_proj", e, 4 * e)):
            p.linear(at + name, n, k)
        p.norm(at + "ln_1", e)
        p.norm(at + "ln_2", e)
    save(os.path.join(directory, "prior-ckpt-step=01.ckpt"), p)
    d = Weights(r)
    d.unet("model.", levels, True)
    d.add("model.cf_param", [1, e], 0.02)
    for name, n in (("text_feat_proj", 256), ("clip_emb", 256), ("clip_tok_proj", 4 * 64), ("text_seq_proj.0", 64)):
        d.linear("model." + name, n, e)
    d.norm("model.text_seq_proj.1", 64)
    save(os.path.join(directory, "decoder-ckpt-step=01.ckpt"), d)
    u = Weights(r)
    u.unet("model_first_steps.", levels, False)
    u.unet("model_last_step.", levels, False)
    save(os.path.join(directory, "improved-sr-ckpt-step=1.2.ckpt"), u)
    s = Weights(r)
    s.add("mean", [e], 0.5)
    s.add("std", [e], 0.02, 0.4)
    save(os.path.join(directory, "ViT-L-14_stats.th"), [(shape, struct.pack("<%df" % e, *struct.unpack("<%de" % e, data))) for shape, data in s.values()])
