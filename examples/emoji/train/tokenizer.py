#!/usr/bin/env python3
"""tokenizer.py CACHE OUT [MERGES]: train CLIP-style byte pair merges on our captions and write OUT/*.

Also the Tokenizer class used in training: CLIP's cleaning, split pattern and merge order.
Ids: 256 bytes, 256 word-final bytes, the merges, <|startoftext|>, <|endoftext|>.
"""
import collections
import html
import json
import pathlib
import sys

try:
    import ftfy
except ImportError:  # then texts must be clean already, as captions.py's are
    ftfy = None
import regex

SPLIT = regex.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE)
ORDER = [*range(33, 127), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
ORDER += [b for b in range(256) if b not in set(ORDER)]
CHAR = {b: chr(b) if i < 188 else chr(256 + i - 188) for i, b in enumerate(ORDER)}


def clean(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text) if ftfy else text))
    return regex.sub(r"\s+", " ", text).strip().lower()


def symbols(word):
    s = [CHAR[b] for b in word.encode()]
    return s[:-1] + [s[-1] + "</w>"]


def fuse(s, pair):
    out, i = [], 0
    while i < len(s):
        if i + 1 < len(s) and (s[i], s[i + 1]) == pair:
            out.append(s[i] + s[i + 1])
            i += 2
        else:
            out.append(s[i])
            i += 1
    return out


def learn(counts, n):
    """counts: word -> how often.  Returns n merges, most frequent pair first, ties in text order."""
    words = [(symbols(w), c) for w, c in sorted(counts.items())]
    merges = []
    while len(merges) < n:
        pairs = collections.Counter()
        for s, c in words:
            for p in zip(s, s[1:]):
                pairs[p] += c
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        words = [(fuse(s, best) if best[0] in s else s, c) for s, c in words]
    return merges


class Tokenizer:
    def __init__(self, path):
        lines = pathlib.Path(path).read_text(encoding="utf-8").split("\n")[1:]
        self.rank = {tuple(m.split()): i for i, m in enumerate(lines) if m}
        names = [CHAR[b] for b in ORDER]
        names += [n + "</w>" for n in names] + [a + b for a, b in self.rank] + ["<|startoftext|>", "<|endoftext|>"]
        self.id = {n: i for i, n in enumerate(names)}
        assert len(self.id) == len(names)
        self.sot, self.eot, self.size = len(names) - 2, len(names) - 1, len(names)
        self.words = {}

    def word(self, w):
        if w not in self.words:
            s = symbols(w)
            while len(s) > 1:
                best = min(zip(s, s[1:]), key=lambda p: self.rank.get(p, 1 << 30))
                if best not in self.rank:
                    break
                s = fuse(s, best)
            self.words[w] = [self.id[x] for x in s]
        return self.words[w]

    def encode(self, text, plain=False):
        """plain: the text is known to be clean and lower-case already (faster)."""
        out = [self.sot]
        for w in SPLIT.findall(text if plain else clean(text)):
            out += [self.id[w]] if w in ("<|startoftext|>", "<|endoftext|>") else self.word(w)
        return out + [self.eot]


def main():
    cache, out = sys.argv[1], pathlib.Path(sys.argv[2])
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 2486  # 3000 tokens in all
    import captions
    counts = collections.Counter()
    for text, c in captions.corpus(json.load(open(pathlib.Path(cache) / "train.json"))["things"]):
        for w in SPLIT.findall(clean(text)):
            counts[w] += c
    merges = learn(counts, n)
    out.mkdir(parents=True, exist_ok=True)
    (out / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    t = Tokenizer(out / "merges.txt")
    (out / "vocab.json").write_text(json.dumps(t.id, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    special = dict(bos_token="<|startoftext|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>")
    (out / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    config = dict(tokenizer_class="CLIPTokenizer", model_max_length=48, do_lower_case=True, add_prefix_space=False, errors="replace", **special)
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    whole = sum(len(t.word(w)) == 1 for w in counts)
    print(len(counts), "different words,", len(merges), "merges,", t.size, "tokens,", whole, "words are one token")


if __name__ == "__main__":
    main()
