#!/usr/bin/env python3
"""The tokenizer once more, slowly, in plain Python: what the golden data come from.

usage: reference.py train N <sentences.txt >small_merges.txt       learn at most N merges
       reference.py cases small_merges.txt <texts.jsonl >cases.jsonl
       reference.py ids merges.txt <lines                          ids, for a look

texts.jsonl holds a JSON string a line; cases.jsonl [text, cleaned text, ids], where
<|startoftext|> and <|endoftext|> in the text are special.  Made with Python 3.11 (Unicode
14).  It agrees with openai/CLIP's tokenizer on ftfy 6.3.1 with fix_encoding=False.
"""
import collections
import json
import re
import sys
import unicodedata
from html import unescape
from html.entities import html5

SOT, EOT = '<|startoftext|>', '<|endoftext|>'
WHITE = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F,
         0x205F, 0x3000}

# ---- cleaning: ftfy without the repair of mojibake, HTML twice, space, lower case ----

UPPER = {k.upper(): v.upper() for k, v in html5.items()
         if k.endswith(';') and k == k.lower() and unescape('&' + k.upper()) == '&' + k.upper()}
LIGATURES = {
    'Ĳ': 'IJ', 'ĳ': 'ij', 'ŉ': 'ʼn', 'Ǳ': 'DZ', 'ǲ': 'Dz', 'ǳ': 'dz', 'Ǆ': 'DŽ', 'ǅ': 'Dž',
    'ǆ': 'dž', 'Ǉ': 'LJ', 'ǈ': 'Lj', 'ǉ': 'lj', 'Ǌ': 'NJ', 'ǋ': 'Nj', 'ǌ': 'nj', 'ﬀ': 'ff',
    'ﬁ': 'fi', 'ﬂ': 'fl', 'ﬃ': 'ffi', 'ﬄ': 'ffl', 'ﬅ': 'ſt', 'ﬆ': 'st'}
CONTROLS = re.compile('[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]')


def entity(m):
    """One match of ftfy's pattern."""
    text = m.group()
    if text.startswith('&#'):
        char = unescape(text)
        return text if ';' in char else char
    return html5.get(text[1:], UPPER.get(text[1:], text))


def c1(c):
    try:
        return c.encode('latin-1').decode('cp1252')
    except UnicodeDecodeError:
        return c


def fix_segment(s, entities):
    while True:
        old = s
        if entities:
            s = re.sub('&#?[0-9A-Za-z]{1,24};', entity, s)
        s = re.sub('[\x80-\x9f]', lambda m: c1(m.group()), s)
        s = ''.join(LIGATURES.get(c, c) for c in s)
        s = s.replace('\u3000', ' ')
        s = re.sub('[\uff01-\uffef]', lambda m: unicodedata.normalize('NFKC', m.group()), s)
        s = re.sub('[\u201c-\u201f]', '"', re.sub('[\u2018-\u201b\u02bc]', "'", s))
        s = re.sub('\r\n|[\r\x85\u2028\u2029]', '\n', s)
        s = re.sub('\x1b\\[[\\d;]*[A-Za-z]', '', s)
        s = unicodedata.normalize('NFC', CONTROLS.sub('', s))
        if s == old:
            return s


def clean(s):
    out = []
    entities = True
    for segment in re.findall('[^\n]*\n|[^\n]+', s):
        entities = entities and '<' not in segment
        out.append(fix_segment(segment, entities))
    return ' '.join(unescape(unescape(''.join(out))).split()).lower()


# ---- splitting ----

def kind(c):
    if ord(c) in WHITE:
        return 'space'
    k = unicodedata.category(c)[0]
    return k if k in 'LN' else 'other'


def split(s):
    """The reference's pattern; without case U+017F is an s too."""
    out = []
    i = 0
    while i < len(s):
        m = re.compile(r"<\|[sſ]tartoftext\|>|<\|endoftext\|>|'(?:[sſ]|t|re|ve|m|ll|d)").match(s, i)
        j = m.end() if m else i + 1
        k = kind(s[i])
        if not m and k not in ('space', 'N'):
            while j < len(s) and kind(s[j]) == k:
                j += 1
        if m or k != 'space':
            out.append(s[i:j])
        i = j
    return out


# ---- byte-pair encoding ----

class Bpe:
    """Symbols are ids; a pair of ids maps to the id of its merge, which is its rank too."""

    def __init__(self, merges):
        order = [*range(33, 127), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
        rest = [b for b in range(256) if b not in order]
        self.byte = {b: i for i, b in enumerate(order + rest)}
        self.spell = {b: chr(b) for b in order} | {b: chr(256 + i) for i, b in enumerate(rest)}
        ids = {self.spell[b]: i for b, i in self.byte.items()}
        ids |= {self.spell[b] + '</w>': 256 + i for b, i in self.byte.items()}
        self.pair = {}
        for r, (x, y) in enumerate(merges):
            ids[x + y] = 512 + r
            self.pair[ids[x], ids[y]] = 512 + r
        self.sot = 512 + len(merges)

    def word(self, data):
        w = [self.byte[b] for b in data]
        w[-1] += 256
        while True:
            best = min((self.pair[p] for p in zip(w, w[1:]) if p in self.pair), default=None)
            if best is None:
                return w
            out = []
            i = 0
            while i < len(w):
                two = i + 1 < len(w) and self.pair.get((w[i], w[i + 1])) == best
                out.append(best if two else w[i])
                i += 1 + two
            w = out

    def encode(self, text):
        out = [self.sot]
        for w in split(clean(text)):
            special = {SOT: self.sot, EOT: self.sot + 1}.get(w)
            out += self.word(w.encode()) if special is None else [special]
        return out + [self.sot + 1]


def train(lines, n):
    words = collections.Counter(w for line in lines for w in split(clean(line)))
    spell = Bpe([]).spell
    parts = [([spell[b] for b in w.encode()], count) for w, count in words.items()]
    for s, _ in parts:
        s[-1] += '</w>'
    for _ in range(n):
        pairs = collections.Counter()
        for s, count in parts:
            for p in zip(s, s[1:]):
                pairs[p] += count
        x, y = min(pairs, key=lambda p: (-pairs[p], p), default=(None, None))
        if pairs[x, y] < 2:
            return
        yield x, y
        for s, _ in parts:
            for i in range(len(s) - 1, 0, -1):
                if s[i - 1:i + 1] == [x, y]:
                    s[i - 1:i + 1] = [x + y]


def main():
    if sys.argv[1] == 'train':
        print('#version: 0.2')
        for x, y in train(sys.stdin, int(sys.argv[2])):
            print(x, y)
        return
    with open(sys.argv[2], encoding='utf-8') as f:
        bpe = Bpe([tuple(line.split()) for line in f if not line.startswith('#version')])
    for line in sys.stdin:
        if sys.argv[1] == 'cases':
            t = json.loads(line)
            print(json.dumps([t, clean(t), bpe.encode(t)], separators=(',', ':')))
        else:
            print(*bpe.encode(line.rstrip('\n')))


main()
