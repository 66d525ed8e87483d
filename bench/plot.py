#!/usr/bin/env python3
"""plot.py RESULTS.json OUT.png: what peers.py measured, as one small picture.  Needs matplotlib."""
import json
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

R = json.load(open(sys.argv[1]))
OURS, THEIRS = "#c2410c", "#94a3b8"


def med(x):
    return statistics.median(x)


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


def main():
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
    bars(axes[1][0], "A folder of photos, ms a photo", rows, "ms")
    rows = []
    for r in R.get("start", []):
        f = fastest(r["s"], lambda k: not k.startswith("unclip"))
        if f:
            rows.append((r["model"], med(r["s"]["unclip-bf16"]), *f))
    bars(axes[1][1], "From exec to the first text embedding, s", rows, "s")
    fig.tight_layout()
    fig.savefig(sys.argv[2])


if __name__ == "__main__":
    main()
