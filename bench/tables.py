#!/usr/bin/env python3
"""tables.py RESULTS.json...: what peers.py measured, as the tables of BENCHMARKS.md.

Of several files the rows are put together; where two have the same row, the last counts.  Ratios are medians over the
rounds in which both sides took turns.  Needs nothing but Python's own library.
"""
import json
import statistics
import sys

# What makes a row of a section the same row.
KEYS = {"towers": ("model", "tower", "what"), "accuracy": ("model", "a", "b"), "karlo": ("stage",), "picture": ("who",),
        "photos": ("what",), "start": ("model",), "rank": ("type", "n"), "grow": ("what", "threads", "x")}
GFLOP = {("ViT-B-32", "image"): 8.82, ("ViT-B-32", "text"): 5.96, ("ViT-L-14", "image"): 162.03, ("ViT-L-14", "text"): 13.30,
         "prior": 6.1, "prior, uncached": 2 * 164.4, "decode64": 2 * 597.6, "upsample": 8497.4}    # of one step
STEPS = {"prior": 25, "decode64": 25, "upsample": 7}    # of a picture
OUT = {}    # the results


def med(x):
    return statistics.median(x) if x else float("nan")


def keep(name, row):
    """Add a row to a section, in place of its older self."""
    key = lambda r: [r[k] for k in KEYS[name]]
    rows = OUT.setdefault(name, [])
    old = next((i for i, r in enumerate(rows) if key(r) == key(row)), len(rows))
    rows[old:old + 1] = [row]


def merge(results):
    for name, v in results.items():
        if name in KEYS:
            for row in v:
                keep(name, row)
        elif isinstance(v, list):
            OUT.setdefault(name, []).extend(v)
        elif isinstance(v, dict):
            OUT.setdefault(name, {}).update(v)
        else:
            OUT[name] = v


def table(head, rows):
    """A table in Markdown; of its columns, those whose head ends with ':' are numbers."""
    line = lambda cells: "| " + " | ".join(map(str, cells)) + " |"
    return "\n".join([line(h.rstrip(":") for h in head), "|" + "|".join("---:" if h[-1:] == ":" else "---" for h in head) + "|", *map(line, rows)])


def ratio_of(ours, theirs):
    return med([b / a for a, b in zip(ours, theirs)])


# ---- sections ----

def towers():
    """Each precision next to the peer that is fastest in it."""
    rows, all_ = [], []
    kinds = sorted({n for r in OUT["towers"] for n in r["ms"]}, key=lambda n: (n.split("-")[1], n))
    for r in OUT["towers"]:
        for p in ("bf16", "f32"):
            mine = r["ms"]["unclip-" + p]
            them = {n: med(v) for n, v in r["ms"].items() if n.endswith(p) and not n.startswith("unclip") and v}
            n = min(them, key=them.get) if them else None
            ratio = ratio_of(mine, r["ms"][n]) if n else None
            rows.append((r["model"], f'{r["tower"]}, {r["what"]}', p, f"{med(mine):.2f}", f'{r["gflop"] / med(mine) * 1e5 / r["peak"][p]:.0f} %',
                         n, f"{them.get(n, 0):.2f}", f"{ratio or 0:.2f}"))
        all_.append((r["model"], f'{r["tower"]}, {r["what"]}', *(f'{med(r["ms"][k]):.1f}' if r["ms"].get(k) else "-" for k in kinds)))
    return table(["model", "input", "precision", "unclip, ms:", "of the peak:", "fastest peer", "its ms:", "ratio:"], rows) + \
        "\n\nAll programs, ms:\n\n" + table(["model", "input", *(k + ":" for k in kinds)], all_)


def accuracy():
    names = {"hf": "transformers f32", "f32": "unclip f32", "bf16": "unclip bf16"}
    t = table(["model", "pictures", "", "least cosine:", "after subtracting the mean:"],
              [(r["model"], r["pictures"], f'{names[r["a"]]} and {names[r["b"]]}', f'1 - {1 - r["cos"]:.1e}', f'{r["centred"]:.7f}') for r in OUT["accuracy"]])
    for r in OUT["accuracy"]:
        if "right" in r:
            t += f'\n\nZero-shot, {r["model"]}, the right label first of {r["labels"]}: f32 {r["right"]["f32"]}, bf16 {r["right"]["bf16"]} of {r["pictures"]}; ' \
                 f'the same label for {r["same"]}.'
    return t


def karlo():
    kinds = sorted({k for r in OUT["karlo"] for k in r["ms"] if k.startswith("df")}, key=lambda k: (k.split("-")[1], k))
    rows = []
    for r in sorted(OUT["karlo"], key=lambda r: list(GFLOP).index(r["stage"])):
        them = {k: med(r["ms"][k]) for k in kinds if r["ms"].get(k)}
        best = min(them, key=them.get) if them else None
        cells = [f'{them[k] / 1e3:.2f} ({r["mem"].get(k, 0):.0f})' if k in them else "-" for k in kinds]
        for what, key, mem in ((r["stage"], "unclip-bf16", "unclip-bf16"), (r["stage"] + ", uncached", "uncached-bf16", "unclip-bf16"), (r["stage"], "unclip-f32", "unclip-f32")):
            if not r["ms"].get(key):
                continue
            ours, p = med(r["ms"][key]), key.split("-")[1]
            ratio = them[best] / ours if best else None
            rows.append((what, p, f"{ours / 1e3:.3f}", f'{GFLOP[what] * 1e5 / ours / r["peak"][p]:.0f} %', f'{r["mem"].get(mem, 0):.0f}', *cells, best,
                         f"{ratio or 0:.2f}"))
    return table(["stage", "unclip", "s a step:", "of the peak:", "MiB:", *(f"{k} (MiB):" for k in kinds), "fastest", "ratio:"], rows)


def whole(r):
    """Seconds of a picture of 25, 25 and 7 steps: measured, or with the steps that were left out added; None: not timed."""
    return r.get("run") and r["run"] + sum(med(r["step"][k]) * (n - r["steps"][k]) for k, n in STEPS.items() if n > r["steps"][k])


def picture():
    rows, half = [], next((r["anon"] / 2 for r in OUT["picture"] if r["who"] == "df-f32"), None)
    them = {r["who"]: whole(r) for r in OUT["picture"] if not r["who"].startswith("unclip") and whole(r)}
    best = min(them, key=them.get) if them else None
    for r in OUT["picture"]:
        s, ours = whole(r), r["who"].startswith("unclip")
        few = "" if r["steps"] == STEPS else ", from " + ", ".join(map(str, r["steps"].values())) + " steps"
        times = (f"{s:.1f}{few}", *(f"{med(v):.3f}" for v in r["step"].values()), f'{r["exec"]:.1f}') if s else ("-",) * 5
        rows.append((r["who"], *times, f"{them[best] / s:.2f}" if s and ours and best else "",
                     f'{r["anon"]:.0f}', f'{100 * r["anon"] / half / 2:.0f} %' if half else ""))
    t = table(["", "s a picture:", "prior, a step:", "decoder:", "upsampler:", "s from exec:", "ratio to the fastest:", "MiB:", "of df-f32's:"], rows)
    for r in OUT["picture"]:
        if "each" in r:
            t += f'\n\n{r["who"]}, MiB at most of each: ' + ", ".join(f"{k} {v:.0f}" for k, v in r["each"].items()) + "."
    return t


def photos():
    rows, kinds = [], sorted({k for r in OUT["photos"] for k in r["s"] if k[:3] in ("oc-", "hf-", "rcl")})
    for r in OUT["photos"]:
        s = r["s"]
        them = {k: med(s[k]) for k in kinds if s.get(k)}
        best = min(them, key=them.get) if them else None
        for p in ("bf16", "f32"):
            ours, dec, net = (1e3 * med(s[k]) for k in ("unclip-" + p, "decode only", "network only, " + p))
            ratio = ratio_of(s["unclip-" + p], s[best]) if best else 0
            slower = med([max(d, n) / u for u, d, n in zip(s["unclip-" + p], s["decode only"], s["network only, " + p])])
            rows.append((f'{r["what"]}, {p}', f"{ours:.2f}", f"{dec:.2f}", f"{net:.2f}", f"{slower:.2f}", f"{(dec + net) / ours:.2f}", best,
                         f"{1e3 * them.get(best, 0):.1f}", f"{ratio:.2f}"))
    return table(["", "unclip, ms a photo:", "decode only:", "network only:", "of the slower:", "of the sum:", "fastest peer", "its ms:", "ratio:"], rows) + "\n\n" + \
        table(["ms a photo", *(k + ":" for k in kinds)], [(r["what"], *(f'{1e3 * med(r["s"][k]):.1f}' if k in r["s"] else "-" for k in kinds)) for r in OUT["photos"]])


def start():
    kinds = sorted({k for r in OUT["start"] for k in r["s"]}, key=lambda k: (not k.startswith("unclip"), k))
    t = [table(["s", *(k + ":" for k in kinds)], [(r["model"], *(f'{med(r["s"][k]):.3f}' if k in r["s"] else "-" for k in kinds)) for r in OUT["start"]])]
    for r in OUT["start"]:
        us = {k: med(v) for k, v in r["s"].items() if k.startswith("unclip")}
        them = {k: med(v) for k, v in r["s"].items() if not k.startswith("unclip")}
        k, best = min(us, key=us.get), min(them, key=them.get) if them else None
        if best:
            t.append(f'{r["model"]}: {k} {us[k]:.3f} s; {best} takes {them[best] / us[k]:.1f} times as long.')
    return "\n\n".join(t)


def rank():
    """From a file next to summing its bytes, read or mapped; from a pipe next to wc."""
    rows = []
    for r in OUT["rank"]:
        s, records = r["s"], f'{r["n"]} x 768 {r["type"]}'
        for what, k, of in (("sum of the bytes, read", "sum", ()), ("sum of the bytes, mapped", "map", ()), ("rank, from the file", "rank", ("sum", "map")),
                            ("cat FILE \\| wc -c", "wc", ()), ("cat FILE \\| rank", "pipe", ("wc",))):
            share = {b: ratio_of(s[k], s[b]) for b in of}
            names = {"sum": " of reading", "map": " of the map"}
            rows.append((records, what, f"{med(s[k]):.3f}", f'{r["bytes"] / med(s[k]) / 1e9:.2f}', ", ".join(f"{100 * v:.0f} %{names.get(b, '')}" for b, v in share.items())))
    return table(["records", "", "s:", "GB/s:", "of the rate:"], rows)


def grow():
    t = []
    for what, x, unit, per in (("batch", "ViT-B/32, bf16, pictures at once", "ms a picture", lambda y, x: 1e3 * y / x),
                               ("side", "upsample, the model in the box, side", "s a step", lambda y, x: y),
                               ("karlo side", "upsample, Karlo, side", "s a step", lambda y, x: y),
                               ("records", "rank, records of 768 f32", "ms", lambda y, x: 1e3 * y)):
        rows = [r for r in OUT["grow"] if r["what"] == what]
        if not rows:
            continue
        js, xs = sorted({r["threads"] for r in rows}), sorted({r["x"] for r in rows})
        at = {(r["threads"], r["x"]): r for r in rows}
        mem = any("anon" in r for r in rows)
        head = [x, *(f"{j} thread{'s' * (j > 1)}, {unit}:" for j in js), "times faster:", *(["MiB:"] if mem else [])]
        body = []
        for v in xs:
            y = [per(med(at[j, v]["s"]), v) if (j, v) in at else None for j in js]
            body.append((v, *("-" if a is None else f"{a:.4g}" for a in y), f"{y[0] / y[-1]:.2f}" if None not in (y[0], y[-1]) and len(y) > 1 else "-",
                         *([f'{at[js[-1], v].get("anon", 0):.0f}'] if mem and (js[-1], v) in at else [])))
        t.append(table(head, body))
    return "\n\n".join(t)


TABLES = {f.__name__: f for f in (towers, accuracy, karlo, picture, photos, start, rank, grow)}


def report():
    print("Versions: " + ", ".join(f"{k} {v}" for k, v in sorted(OUT.get("versions", {}).items())) + ".")
    p = OUT.get("peaks", [])
    if p:
        print(f"Peaks, {OUT.get('threads')} threads, median of {len(p)}: {med([x['f32'] for x in p]):.0f} GFLOP/s f32, {med([x['bf16'] for x in p]):.0f} bf16.")
    for k in TABLES:
        if OUT.get(k):
            print(f"\n## {k}, {', '.join(sorted({r['when'][:10] for r in OUT[k] if 'when' in r}))}\n\n{TABLES[k]()}")


if __name__ == "__main__":
    for f in sys.argv[1:]:
        merge(json.load(open(f, encoding="utf-8")))
    report()
