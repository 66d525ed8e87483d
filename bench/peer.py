#!/usr/bin/env python3
"""peer.py KIND FOLDER: keep one peer loaded and run it on request.  peers.py starts this script.

Prints "ready" and the versions of its libraries, then one line for each line of JSON on standard input: {"ms": of the run,
"anon": MiB}.  A line of input has "what": image or text (with "batch" and "tokens"), prior, decode64, upsample; "save": a file
for the result; "input": raw numbers instead of noise.
KIND: hf, hfc (transformers without and with torch.compile), oc (open_clip), ort (ONNX Runtime), ov (OpenVINO), df, dfc
(diffusers), each with -f32 or -bf16.  FOLDER: the directory of a model.  All use as many threads as there are processors.
"""
import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
THREADS = len(os.sched_getaffinity(0))
KIND, PRECISION = sys.argv[1].split("-")
FOLDER = sys.argv[2]

import numpy as np
import torch

torch.set_num_threads(THREADS)
DTYPE = torch.bfloat16 if PRECISION == "bf16" else torch.float32
VERSIONS = {"torch": torch.__version__}


def anon():
    return next(int(x.split()[1]) / 1024 for x in open("/proc/self/status") if x.startswith("RssAnon"))


def text_ids(n, tokens, vocab):
    ids = np.random.default_rng(7).integers(1, vocab - 3, (n, tokens))
    ids[:, 0], ids[:, -1] = vocab - 2, vocab - 1
    return torch.from_numpy(ids)


def tower_input(q, size, vocab):
    if "input" in q:
        x = np.fromfile(q["input"], "<f4" if q["what"] == "image" else "<i4")
        x = x.reshape(-1, 3, size, size) if q["what"] == "image" else x.reshape(-1, 77).astype("i8")
        return torch.from_numpy(x)
    if q["what"] == "image":
        return torch.randn(q["batch"], 3, size, size, generator=torch.Generator().manual_seed(1))
    return text_ids(q["batch"], q["tokens"], vocab)


class Image(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, x):
        return self.m.get_image_features(pixel_values=x)


class Text(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, x):
        return self.m.get_text_features(input_ids=x)


def huggingface():
    import transformers
    from transformers import CLIPModel
    VERSIONS["transformers"] = transformers.__version__
    m = CLIPModel.from_pretrained(FOLDER, torch_dtype=DTYPE).eval()
    m.config.text_config.eos_token_id = 2    # the position of the largest id, as OpenAI's files have it
    m.text_model.eos_token_id = 2
    return {"image": Image(m), "text": Text(m)}, m.config.vision_config.image_size, m.config.text_config.vocab_size


def plain(nets, size, vocab, cast=True):
    def run(q):
        x = tower_input(q, size, vocab)
        x = x.to(DTYPE) if x.is_floating_point() else x
        return lambda: nets[q["what"]](x)
    return run


def compiled(nets, size, vocab):
    torch._dynamo.config.cache_size_limit = 64
    return plain({k: torch.compile(m, dynamic=False, options={"freezing": True}) for k, m in nets.items()}, size, vocab)


def open_clip_net():
    import open_clip
    VERSIONS["open_clip"] = open_clip.__version__
    name = {512: "ViT-B-32", 768: "ViT-L-14"}[json.load(open(f"{FOLDER}/config.json"))["projection_dim"]]
    m = open_clip.create_model(name + "-quickgelu", precision=PRECISION if PRECISION == "bf16" else "fp32").eval()
    vocab = 49408

    def run(q):
        x = tower_input({**q, "tokens": 77}, 224, vocab)    # it knows texts of 77 tokens only
        x = x.to(DTYPE) if x.is_floating_point() else x
        return lambda: (m.encode_image if q["what"] == "image" else m.encode_text)(x)
    return run


def onnxruntime_net():
    import onnxruntime as ort
    VERSIONS["onnxruntime"] = ort.__version__
    nets, size, vocab = huggingface()
    sessions = {}

    def run(q):
        x = tower_input(q, size, vocab)
        key = f'{q["what"]}-{tuple(x.shape)}'.replace(" ", "")
        if key not in sessions:
            path = f"{FOLDER}/{key}.onnx"
            if not os.path.exists(path):
                with open(os.devnull, "w") as null:    # the exporter talks
                    out, sys.stdout = sys.stdout, null
                    torch.onnx.export(nets[q["what"]], (x,), path, dynamo=True, external_data=True)
                    sys.stdout = out
            o = ort.SessionOptions()
            o.intra_op_num_threads = THREADS
            sessions[key] = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
        s = sessions[key]
        a = {s.get_inputs()[0].name: x.numpy()}
        return lambda: s.run(None, a)[0]
    return run


def openvino_net():
    import openvino as ov
    VERSIONS["openvino"] = ov.__version__
    nets, size, vocab = huggingface()
    core, done = ov.Core(), {}
    config = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY",
              "INFERENCE_PRECISION_HINT": PRECISION, "CACHE_DIR": f"{FOLDER}/ov"}

    def run(q):
        x = tower_input(q, size, vocab)
        key = (q["what"], tuple(x.shape))
        if key not in done:
            path = f'{FOLDER}/{key[0]}-{"x".join(map(str, key[1]))}.xml'
            if not os.path.exists(path):
                m = ov.convert_model(nets[q["what"]].float(), example_input=x, input=[x.shape])
                ov.save_model(m, path, compress_to_fp16=False)
            done[key] = core.compile_model(path, "CPU", config)
        r = done[key].create_infer_request()
        a = x.numpy()
        return lambda: r.infer([a])[0]
    return run


def diffusers_net():
    import diffusers
    from diffusers import PriorTransformer, UNet2DConditionModel, UNet2DModel
    VERSIONS["diffusers"] = diffusers.__version__
    nets = {}

    def run(q):
        what, b = q["what"], 2
        r = lambda *s: torch.randn(*s, generator=torch.Generator().manual_seed(1)).to(DTYPE)
        if what not in nets:
            nets.clear()
            cls, folder = {"prior": (PriorTransformer, "prior"), "decode64": (UNet2DConditionModel, "decoder"),
                           "upsample": (UNet2DModel, "super_res_first")}[what]
            m = cls.from_pretrained(f"{FOLDER}/{folder}", torch_dtype=DTYPE).eval()
            if what != "prior":
                m = m.to(memory_format=torch.channels_last)
            nets[what] = torch.compile(m, dynamic=False) if KIND == "dfc" else m
        a = {"prior": lambda: dict(hidden_states=r(b, 768), timestep=500, proj_embedding=r(b, 768),
                                   encoder_hidden_states=r(b, 77, 768), attention_mask=torch.ones(b, 77, dtype=torch.bool)),
             "decode64": lambda: dict(sample=r(b, 3, 64, 64), timestep=500, encoder_hidden_states=r(b, 81, 1536),
                                      class_labels=r(b, 1280)),
             "upsample": lambda: dict(sample=r(1, 6, 256, 256), timestep=500)}[what]()
        return lambda: nets[what](**a)[0]
    return run


def main():
    say, sys.stdout = sys.stdout, sys.stderr
    serve = {"hf": lambda: plain(*huggingface()), "hfc": lambda: compiled(*huggingface()), "oc": open_clip_net,
             "ort": onnxruntime_net, "ov": openvino_net, "df": diffusers_net, "dfc": diffusers_net}[KIND]()
    warm = {}
    print("ready", json.dumps(VERSIONS), file=say, flush=True)
    with torch.inference_mode() if KIND != "dfc" and KIND != "hfc" else torch.no_grad():
        for line in sys.stdin:
            q = json.loads(line)
            key = json.dumps({k: v for k, v in q.items() if k != "save"})
            if key not in warm:
                warm.clear()
                warm[key] = serve(q)
                warm[key]()
            t = time.perf_counter()
            y = warm[key]()
            t = time.perf_counter() - t
            if "save" in q:
                y = y.float().numpy() if torch.is_tensor(y) else np.asarray(y)
                y.astype("<f4").tofile(q["save"])
            print(json.dumps({"ms": 1e3 * t, "anon": anon()}), file=say, flush=True)


if __name__ == "__main__":
    main()
