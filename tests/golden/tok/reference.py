#!/usr/bin/env python3
"""The tokenizer once more, slowly, in plain Python: what the golden data come from.

usage: reference.py train N <sentences.txt >small_merges.txt      learn at most N merges
       reference.py cases small_merges.txt <texts.jsonl >cases.jsonl

texts.jsonl holds a JSON string a line; cases.jsonl [text, cleaned text, ids], where
<|startoftext|> and <|endoftext|> in the text are special.  Made with Python 3.11
(Unicode 14).  Checked against openai/CLIP's tokenizer with ftfy 6.3.1 (fix_encoding=False).
"""
import collections
import json
import sys
import unicodedata
from html.entities import html5 as NAMED

WS={9,10,11,12,13,32,0x85,0xA0,0x1680,0x2028,0x2029,0x202F,0x205F,0x3000}|set(range(0x2000,0x200B))
def cls(c):
    o=ord(c)
    if o in WS: return 'W'
    k=unicodedata.category(c)[0]
    return k if k in 'LN' else 'P'
def split(t):
    out=[];i=0;n=len(t)
    while i<n:
        hit=None
        for sp in('<|startoftext|>','<|endoftext|>','<|\u017ftartoftext|>'):
            if t.startswith(sp,i): hit=sp
        if hit is None and t[i]=="'":
            for c in("s","\u017f","t","re","ve","m","ll","d"):
                if t.startswith(c,i+1): hit=t[i:i+1+len(c)]; break
        if hit is None:
            k=cls(t[i])
            if k=='W': i+=1; continue
            if k=='N': hit=t[i]
            else:
                j=i
                while j<n and cls(t[j])==k: j+=1
                hit=t[i:j]
        out.append(hit); i+=len(hit)
    return out
CP1252={0x80:0x20AC,0x82:0x201A,0x83:0x192,0x84:0x201E,0x85:0x2026,0x86:0x2020,0x87:0x2021,0x88:0x2C6,0x89:0x2030,0x8A:0x160,0x8B:0x2039,0x8C:0x152,0x8E:0x17D,0x91:0x2018,0x92:0x2019,0x93:0x201C,0x94:0x201D,0x95:0x2022,0x96:0x2013,0x97:0x2014,0x98:0x2DC,0x99:0x2122,0x9A:0x161,0x9B:0x203A,0x9C:0x153,0x9E:0x17E,0x9F:0x178}
def charref(num):
    if num==0: return '\ufffd'
    if num==0x0d: return '\r'
    if 0x80<=num<=0x9f: return chr(CP1252.get(num,num))
    if num>0x10FFFF or 0xD800<=num<=0xDFFF: return '\ufffd'
    if 1<=num<=8 or num==0xb or 0xe<=num<=0x1f or num==0x7f or 0xfdd0<=num<=0xfdef or (num&0xfffe)==0xfffe: return ''
    return chr(num)
DEC='0123456789'; HEX=DEC+'abcdefABCDEF'
def py_unescape(s):
    out=[];i=0;n=len(s)
    while i<n:
        if s[i]!='&': out.append(s[i]); i+=1; continue
        j=i+1
        if j<n and s[j]=='#':
            k=j+1; base=10; digs=DEC
            if k<n and s[k] in 'xX' and k+1<n and s[k+1] in HEX: base=16; digs=HEX; k+=1
            st=k
            while k<n and s[k] in digs: k+=1
            if k>st:
                out.append(charref(int(s[st:k],base)))
                if k<n and s[k]==';': k+=1
                i=k; continue
            out.append('&'); i=j; continue
        k=j
        while k<n and k-j<32 and s[k] not in '\t\n\f <&#;': k+=1
        if k==j: out.append('&'); i=j; continue
        name=s[j:k]
        if k<n and s[k]==';': name+=';'; k+=1
        if name in NAMED: out.append(NAMED[name]); i=k; continue
        for x in range(len(name)-1,1,-1):
            if name[:x] in NAMED: out.append(NAMED[name[:x]]+name[x:]); break
        else: out.append('&'+name)
        i=k
    return ''.join(out)
def build_upper():
    d={}
    for nme,ch in NAMED.items():
        if nme.endswith(';') and nme==nme.lower() and py_unescape('&'+nme.upper())=='&'+nme.upper(): d[nme.upper()]=ch.upper()
    return d
UPPER=build_upper()
ALNUM=set(DEC+'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
def ftfy_unescape(s):
    out=[];i=0;n=len(s)
    while i<n:
        if s[i]!='&': out.append(s[i]); i+=1; continue
        j=i+1; num=j<n and s[j]=='#'
        if num: j+=1
        k=j
        while k<n and k-j<24 and s[k] in ALNUM: k+=1
        if k==j or k>=n or s[k]!=';': out.append('&'); i+=1; continue
        ent=s[i:k+1]; r=ent
        if not num: r=NAMED.get(ent[1:],UPPER.get(ent[1:],ent))
        else:
            u=py_unescape(ent); r=ent if ';' in u else u
        out.append(r); i=k+1
    return ''.join(out)
LIG={'\u0132':'IJ','\u0133':'ij','\u0149':'\u02bcn','\u01f1':'DZ','\u01f2':'Dz','\u01f3':'dz','\u01c4':'D\u017d','\u01c5':'D\u017e','\u01c6':'d\u017e','\u01c7':'LJ','\u01c8':'Lj','\u01c9':'lj','\u01ca':'NJ','\u01cb':'Nj','\u01cc':'nj','\ufb00':'ff','\ufb01':'fi','\ufb02':'fl','\ufb03':'ffi','\ufb04':'ffl','\ufb05':'\u017ft','\ufb06':'st'}
def drop(o): return o<=8 or o==0xb or 0xe<=o<=0x1f or o==0x7f or 0x206a<=o<=0x206f or o==0xfeff or 0xfff9<=o<=0xfffc
def fix_segment(s,unesc):
    while True:
        o=s
        if unesc: s=ftfy_unescape(s)
        s=''.join(chr(CP1252.get(ord(c),ord(c))) if 0x80<=ord(c)<=0x9f else c for c in s)
        s=''.join(LIG.get(c,c) for c in s)
        s=''.join(' ' if c=='\u3000' else (unicodedata.normalize('NFKC',c) if 0xff01<=ord(c)<=0xffef else c) for c in s)
        s=''.join('"' if 0x201c<=ord(c)<=0x201f else "'" if (0x2018<=ord(c)<=0x201b or ord(c)==0x2bc) else c for c in s)
        s=s.replace('\r\n','\n').replace('\r','\n').replace('\u2028','\n').replace('\u2029','\n').replace('\x85','\n')
        t=[];i=0
        while i<len(s):
            if s[i]=='\x1b' and i+1<len(s) and s[i+1]=='[':
                k=i+2
                while k<len(s) and (s[k].isdecimal() or s[k]==';'): k+=1
                if k<len(s) and s[k].isascii() and s[k].isalpha(): i=k+1; continue
            t.append(s[i]); i+=1
        s=''.join(t)
        s=''.join(c for c in s if not drop(ord(c)))
        s=unicodedata.normalize('NFC',s)
        if s==o: return s
def fix_text(s):
    out=[];pos=0;un=True
    while pos<len(s):
        e=s.find('\n',pos)+1
        if e==0: e=len(s)
        seg=s[pos:e]
        if '<' in seg: un=False
        out.append(fix_segment(seg,un)); pos=e
    return ''.join(out)
def lower(s): return s.lower()
def clean(s):
    s=py_unescape(py_unescape(fix_text(s)))
    o=[];sp=False
    for c in s:
        if ord(c) in WS or 0x1c<=ord(c)<=0x1f: sp=True
        else:
            if sp and o: o.append(' ')
            sp=False; o.append(c)
    return lower(''.join(o))

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
                if i + 1 < len(w) and self.pair.get((w[i], w[i + 1])) == best:
                    out.append(best)
                    i += 2
                else:
                    out.append(w[i])
                    i += 1
            w = out

    def encode(self, text):
        out = [self.sot]
        for w in split(clean(text)):
            special = {'<|startoftext|>': self.sot, '<|endoftext|>': self.sot + 1}.get(w)
            out += self.word(w.encode()) if special is None else [special]
        return out + [self.sot + 1]


def train(lines, n):
    words = collections.Counter(w for line in lines for w in split(clean(line)))
    spell = Bpe([]).spell
    seqs = []
    for w, count in words.items():
        s = [spell[b] for b in w.encode()]
        s[-1] += '</w>'
        seqs.append((s, count))
    for _ in range(n):
        pairs = collections.Counter()
        for s, count in seqs:
            for p in zip(s, s[1:]):
                pairs[p] += count
        if not pairs:
            return
        x, y = min(pairs, key=lambda p: (-pairs[p], p))
        if pairs[x, y] < 2:
            return
        print(x, y)
        for s, _ in seqs:
            i = 0
            while i + 1 < len(s):
                if s[i] == x and s[i + 1] == y:
                    s[i:i + 2] = [x + y]
                i += 1


if sys.argv[1] == 'train':
    print('#version: 0.2')
    train(sys.stdin, int(sys.argv[2]))
else:
    with open(sys.argv[2], encoding='utf-8') as f:
        bpe = Bpe([tuple(line.split()) for line in f if not line.startswith('#version')])
    for line in sys.stdin:
        t = json.loads(line)
        print(json.dumps([t, clean(t), bpe.encode(t)], separators=(',', ':')))
