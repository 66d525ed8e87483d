#!/usr/bin/env python3
"""plot.py RESULTS.json... OUT.png [GROWTH.png]: draw what peers.py measured, and how it grows.

Needs matplotlib."""
import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tables
from tables import OUT as R, med

OURS, THEIRS = "#c2410c", "#94a3b8"


def bars(ax, title, rows, unit):
    """rows: (label, ours, the fastest peer's name, its figure)."""
    for i, (label, ours, name, theirs) in enumerate(rows):
        ax.barh(i - 0.2, ours / theirs, 0.38, color=OURS)
        ax.barh(i + 0.2, 1, 0.38, color=THEIRS)
        ax.text(ours / theirs + 0.01, i - 0.2, f"{ours:.3g} {unit}", va="center", fontsize=7)
        ax.text(1.01, i + 0.2, f"{theirs:.3g} ({name})", va="center", fontsize=7)
    ax.set_yticks(range(len(rows)), [r[0] for r in rows], fontsize=7)
    ax.set_xlim(0, 1.6)
    ax.set_xticks([])
    ax.invert_yaxis()
    ax.set_title(title, fontsize=9)
    for s in ("top", "right", "bottom"):
        ax.spines[s].set_visible(False)


def fastest(ms, want):
    them = {k: med(v) for k, v in ms.items() if v and want(k)}
    return min(them.items(), key=lambda x: x[1]) if them else None


def peers(out):
    fig, axes = plt.subplots(2, 2, figsize=(9, 6.4), dpi=90)
    rows = []
    for r in R.get("towers", []):
        for p in ("bf16", "f32"):
            f = fastest(r["ms"], lambda k: k.endswith(p) and not k.startswith("unclip"))
            if f:
                rows.append((f'{r["model"]} {r["tower"]} {r["what"]}, {p}', med(r["ms"]["unclip-" + p]), *f))
    bars(axes[0][0], "Towers, ms: unclip and the fastest peer", sorted(rows), "ms")
    rows = []
    for r in R.get("karlo", []):
        f = fastest(r["ms"], lambda k: k.startswith("df"))
        if f:
            rows.append((r["stage"], med(r["ms"]["unclip-bf16"]) / 1e3, f[0], f[1] / 1e3))
    bars(axes[0][1], "Karlo, s a step, bf16", rows, "s")
    rows = []
    for r in R.get("photos", []):
        f = fastest(r["s"], lambda k: k[:3] in ("oc-", "hf-", "rcl"))
        if f:
            rows.append((r["what"], 1e3 * med(r["s"]["unclip-bf16"]), f[0], 1e3 * f[1]))
    bars(axes[1][0], "A directory of photos, ms a photo", rows, "ms")
    rows = []
    for r in R.get("start", []):
        f = fastest(r["s"], lambda k: not k.startswith("unclip"))
        if f:
            rows.append((r["model"], med(r["s"]["unclip-bf16"]), *f))
    bars(axes[1][1], "From exec to the first text embedding, s", rows, "s")
    fig.tight_layout()
    fig.savefig(out)


def growth(out):
    fig, axes = plt.subplots(2, 2, figsize=(9, 6), dpi=90)
    rows = lambda what: [r for r in R["grow"] if r["what"] == what]

    def lines(ax, what, value, label, marker="o", color=None):
        for j in sorted({r["threads"] for r in rows(what)}):
            at = sorted((r["x"], value(r)) for r in rows(what) if r["threads"] == j)
            ax.plot(*zip(*at), marker + "-", label=label.format(j), color=color or (OURS if j > 1 else THEIRS), ms=4)

    lines(axes[0][0], "batch", lambda r: 1e3 * med(r["s"]) / r["x"], "{} thread(s)")
    axes[0][0].set(title="ViT-B/32, bf16: ms a picture", xlabel="pictures at once", ylim=(0, None))
    axes[0][0].set_xscale("log", base=2)
    lines(axes[0][1], "side", lambda r: med(r["s"]), "the model in the box, {} thread(s)")
    lines(axes[0][1], "karlo side", lambda r: med(r["s"]), "Karlo, {} threads", "s", "#1d4ed8")
    axes[0][1].set(title="upsample, bf16: s a step", xlabel="side of the picture", yscale="log")
    axes[0][1].set_xscale("log", base=2)
    for what, label, color in (("side", "the model in the box", OURS), ("karlo side", "Karlo", "#1d4ed8")):
        at = sorted({(r["x"], r["anon"]) for r in rows(what) if r["threads"] == max(x["threads"] for x in rows(what))})
        axes[1][0].plot(*zip(*at), "o-", label=label, color=color, ms=4)
    axes[1][0].set(title="upsample: anonymous memory, MiB", xlabel="side of the picture", yscale="log")
    axes[1][0].set_xscale("log", base=2)
    lines(axes[1][1], "records", lambda r: 1e3 * med(r["s"]), "{} thread(s)")
    axes[1][1].set(title="rank -k 10, a warm file of 768 f32: ms", xlabel="records", xscale="log", yscale="log")
    for ax in axes.flat:
        ax.title.set_size(9)
        ax.xaxis.label.set_size(7)
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.3)
        ax.legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(out)


def main():
    files = [f for f in sys.argv[1:] if not f.endswith(".png")]
    pictures = sys.argv[1 + len(files):]
    for f in files:
        with open(f, encoding="utf-8") as i:
            tables.merge(json.load(i))
    for draw, out in zip((peers, growth), pictures):
        draw(out)


if __name__ == "__main__":
    main()
