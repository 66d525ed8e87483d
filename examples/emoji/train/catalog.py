"""catalog.py: the list of things (one per emoji, skin tones dropped) and who draws them.

things(cache)    -> list of dicts: cp, name, group, subgroup, words (keywords)
drawings(cache)  -> list of (thing index, style, kind, payload) for training
openmoji(cache)  -> {thing index: svg path} for evaluation only
"""
import collections
import json
import pathlib
import re
import xml.etree.ElementTree as ET

from fetch import NPM, folder

VERSION = {name: version for name, version, _ in NPM}
TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}
STYLES = [  # our style name, iconify package, also drawn once more with a dark outline
    ("noto", "@iconify-json/noto", True),
    ("old noto", "@iconify-json/noto-v1", False),
    ("twemoji", "@iconify-json/twemoji", True),
    ("fluent", "@iconify-json/fluent-emoji", False),
    ("flat fluent", "@iconify-json/fluent-emoji-flat", True),
    ("black fluent", "@iconify-json/fluent-emoji-high-contrast", False),
    ("emojione", "@iconify-json/emojione", True),
    ("black emojione", "@iconify-json/emojione-monotone", False),
    ("firefox", "@iconify-json/fxemoji", True),
    ("streamline", "@iconify-json/streamline-emojis", False),
]

ALIAS = {"car": "automobile", "plane": "airplane", "train": "locomotive", "bike": "bicycle", "boat": "sailboat", "phone": "telephone", "apple": "red apple",
         "computer": "desktop computer", "heart": "red heart", "burger": "hamburger", "coffee": "hot beverage", "smiley": "grinning face",
         "tree": "deciduous tree", "pine": "evergreen tree", "clock": "mantelpiece clock", "gun": "water pistol", "beer": "beer mug", "cake": "shortcake"}
VAGUE = {"fish", "bird", "person", "man", "woman", "boy", "girl", "baby", "sign", "hash", "input symbols", "number", "flag",
         "on! arrow", "no entry", "top arrow", "star", "hole", "hollow red circle", "national park", "heart suit", "link",
         "shield", "label", "key", "card", "game die", "new button", "free button", "up! button", "cool button", "wave",
         "stop sign", "red square", "foot", "up arrow", "down arrow", "left arrow", "right arrow", "bust in silhouette"}


def bare(cp):
    """Code points as lower-case hex joined by '-', without the variation selector."""
    return "-".join(p for p in cp.lower().replace("_", "-").split("-") if p != "fe0f").lstrip("0")


def slug(text):
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("&", "and"))


def tidy(name):
    """Names as a person would type them: 'flag: France' -> 'flag of France'."""
    name = name.replace("\u201c", "").replace("\u201d", "").replace("\u2019", "'")
    name = re.sub(r"^flag: (.*)", r"flag of \1", name)
    name = re.sub(r"^keycap: (.*)", r"keycap \1", name)
    name = re.sub(r"^family: (.*)", r"family of \1", name)
    return name.replace(":", "").lower()


def package(cache, name):
    return pathlib.Path(cache) / "x" / folder(name, VERSION[name])


def things(cache):
    usr = pathlib.Path(cache) / "x"
    words = {}
    for part in ("annotations", "annotationsDerived"):
        f = usr / "unicode-cldr-core/usr/share/unicode/cldr/common" / part / "en.xml"
        for a in ET.parse(f).getroot().iter("annotation"):
            if a.get("type") != "tts":
                key = bare("-".join(f"{ord(c):x}" for c in a.get("cp")))
                words[key] = [w.strip() for w in a.text.split("|")]
    for e in json.load(open(package(cache, "emoji-datasource-google") / "emoji.json")):
        words.setdefault(bare(e["unified"]), []).extend(n.replace("_", " ").replace("-", " ") for n in e["short_names"])
    out, group, sub, seen = [], "", "", set()
    for line in open(usr / "unicode-data/usr/share/unicode/emoji/emoji-test.txt", encoding="utf-8"):
        if line.startswith("# group:"):
            group = line.split(":", 1)[1].strip()
        elif line.startswith("# subgroup:"):
            sub = line.split(":", 1)[1].strip()
        elif "; fully-qualified" in line:
            raw = line.split(";")[0].strip().lower().split()
            if TONES & set(raw) or group == "Component":
                continue
            name = tidy(re.sub(r"^.*?E\d+\.\d+ ", "", line.split("#", 1)[1].strip()))
            cp = bare("-".join(raw))
            if cp in seen:
                continue
            seen.add(cp)
            more = []
            for w in words.get(cp, []):
                w = tidy(w)
                if w != name and w not in more and not w.startswith("flag ") and len(w) > 1 and w.isascii():
                    more.append(w)
            if group == "Flags":
                more = [w for w in more if w != "flag" and len(w) > 3]
            out.append(dict(cp=cp, name=name, group=group, subgroup=sub, words=more))
    return out


def drawings(cache, catalog):
    """Every picture we may train on.  kind 'svg' carries SVG text, 'file' a path."""
    where = {t["cp"]: i for i, t in enumerate(catalog)}
    by_slug = {}
    for i, t in enumerate(catalog):
        by_slug.setdefault(slug(t["name"]), i)
    for e in json.load(open(package(cache, "emoji-datasource-google") / "emoji.json")):
        i = where.get(bare(e["unified"]))
        if i is not None:
            for n in e["short_names"]:
                by_slug.setdefault(slug(n), i)
    sets = {style: json.load(open(package(cache, p) / "icons.json")) for style, p, _ in STYLES}
    chars = {}
    for style, p, _ in STYLES:  # chars.json: code points -> icon name; it also teaches names to the sets without one
        f = package(cache, p) / "chars.json"
        if f.exists() and (c := json.load(open(f))):
            chars[style] = c
            for cp, n in c.items():
                if bare(cp) in where:
                    by_slug.setdefault(slug(n), where[bare(cp)])
    for style in sets:  # names that one set gives as an alias of another
        for n, a in sets[style].get("aliases", {}).items():
            if slug(a["parent"]) in by_slug:
                by_slug.setdefault(slug(n), by_slug[slug(a["parent"])])
    out = []
    for style, p, outline in STYLES:
        icons, done = sets[style]["icons"], set()
        w0, h0 = sets[style].get("width", 16), sets[style].get("height", 16)
        pairs = [(where.get(bare(cp)), n) for cp, n in chars.get(style, {}).items()] + [(by_slug.get(slug(n)), n) for n in icons]
        for i, n in pairs:
            if i is None or i in done or n not in icons:
                continue
            done.add(i)
            ic = icons[n]
            box = f'{ic.get("left", 0)} {ic.get("top", 0)} {ic.get("width", w0)} {ic.get("height", h0)}'
            size = max(ic.get("width", w0), ic.get("height", h0))
            head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box}" color="#222">'
            out.append((i, style, "svg", f'{head}{ic["body"]}</svg>'))
            if outline:  # the same drawing with a dark line around every shape, as a comic would have
                g = f'<g stroke="#000" stroke-width="{size * 0.022:.3f}" stroke-linejoin="round">'
                out.append((i, "outlined " + style, "svg", f'{head}{g}{ic["body"]}</g></svg>'))
    for f in sorted((package(cache, "@lobehub/fluent-emoji-3d") / "assets").glob("*.webp")):
        i = where.get(bare(f.stem))
        if i is not None:
            out.append((i, "3d fluent", "file", str(f)))
    seen = collections.Counter()
    for i, f in clipart(cache, catalog):
        seen[i] += 1
        if seen[i] <= 8:  # of some there are dozens
            out.append((i, "clip art", "svg", f.read_text(errors="replace")))
    return out


def words_of(text):
    """'Pizza_slice2 (B and W)' -> ['pizza', 'slice']."""
    text = re.sub(r"\(.*?\)|[0-9]", " ", text.lower().replace("_", " ").replace("-", " "))
    return [w for w in re.sub(r"[^a-z' ]", " ", text).split() if w]


def clipart(cache, catalog):
    """openclipart's drawings of things that we have: (thing index, path).

    A drawing shows a thing if its title (or file name, where the title is one for a whole series) ends with the thing's
    name or contains it, or if exactly one of its few keywords is such a name."""
    root = pathlib.Path(cache) / "x/openclipart-svg/usr/share/openclipart/svg"
    names = {tuple(words_of(t["name"])): i for i, t in reversed(list(enumerate(catalog))) if t["group"] != "Flags"}
    for short, name in ALIAS.items():
        names[(short,)] = next(i for i, t in enumerate(catalog) if t["name"] == name)
    flags = {slug(t["name"].removeprefix("flag of ")): i for i, t in enumerate(catalog) if t["subgroup"] == "country-flag"}
    out = []
    for f in sorted(root.glob("**/*.svg")):
        part = f.relative_to(root).parts
        if part[0] in ("computer", "shapes", "special", "geography", "logos", "buttons", "decorations") or f.stat().st_size > 400000:
            continue
        if "flags" in part:
            if slug(f.stem) in flags:
                out.append((flags[slug(f.stem)], f))
            continue
        s = f.read_text(errors="replace")
        title = re.search(r"<dc:title>(.*?)</dc:title>", s, re.S)
        i = None
        for said in (words_of(title[1]) if title else [], words_of(f.stem)):
            spans = [said[a:b] for a in range(len(said)) for b in range(a + 1, min(a + 4, len(said)) + 1)]
            spans.sort(key=lambda w: (-len(w), w != said[-len(w):]))
            for w in spans:
                i = next((names[k] for k in (tuple(w), (*w[:-1], w[-1].removesuffix("s"))) if k in names), None)
                if i is not None and catalog[i]["name"] not in VAGUE:
                    break
                i = None
            if i is not None:
                break
        if i is None:
            k = {w.strip().lower() for w in re.findall(r"<rdf:li>(.*?)</rdf:li>", s)}
            found = {names[tuple(words_of(w))] for w in k if tuple(words_of(w)) in names} if len(k) <= 5 else set()
            found = {j for j in found if catalog[j]["name"] not in VAGUE}
            i = found.pop() if len(found) == 1 else None
        if i is not None:
            out.append((i, f))
    return out


def openmoji(cache, catalog):
    where = {t["cp"]: i for i, t in enumerate(catalog)}
    out = {}
    for f in sorted((package(cache, "openmoji") / "color/svg").glob("*.svg")):
        i = where.get(bare(f.stem))
        if i is not None:
            out[i] = str(f)
    return out


if __name__ == "__main__":
    import sys
    t = things(sys.argv[1])
    d = drawings(sys.argv[1], t)
    print(len(t), "things", len(d), "drawings", len(openmoji(sys.argv[1], t)), "openmoji")
    print(collections.Counter(s for _, s, _, _ in d))
    for i in range(0, len(t), 150):
        print(t[i])
