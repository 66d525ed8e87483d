#!/usr/bin/env python3
"""Write lib/text/text_tables.c: HTML's named characters, and two small maps of ftfy's.

usage: python3 lib/text/text_tables.py >lib/text/text_tables.c

HTML: the WHATWG list (2,231 names; those without ";" are part of it).  Upper: what ftfy
takes besides: names in capitals whose lower-case form is in the list, where HTML itself
would leave them alone.  Width: NFKC of U+FF01..U+FFEF.
"""
import html
import unicodedata
from html.entities import html5


def entities(name, about, table):
    rows = sorted((k.encode('ascii').decode(), [ord(c) for c in v]) for k, v in table.items())
    print(f'/* {about} */')
    print(f'const struct entity {name}[] = {{')
    for key, points in rows:
        print(f'    {{"{key}", {{{", ".join(f"{p:#x}" for p in points)}}}}},')
    print('};')
    print(f'const size_t {name}_n = sizeof {name} / sizeof *{name};')
    print()


upper = {k.upper(): v.upper() for k, v in html5.items()
         if k.endswith(';') and k == k.lower() and html.unescape('&' + k.upper()) == '&' + k.upper()}
assert max(len(v) for v in list(html5.values()) + list(upper.values())) <= 3
assert max(map(len, html5)) <= 32

print('/* Made by lib/text/text_tables.py; do not edit. */')
print('#include "lib/text/text_tables.h"')
print()
entities('html5_entity', 'names of HTML, sorted by their bytes', html5)
entities('upper_entity', 'names in capitals that ftfy knows and HTML does not, sorted by their bytes', upper)
print('/* NFKC of U+FF01 + i; {0} where it changes nothing */')
print('const uint16_t width_map[WIDTH_LAST - WIDTH_FIRST + 1][2] = {')
for c in range(0xff01, 0xfff0):
    nfkc = unicodedata.normalize('NFKC', chr(c))
    assert len(nfkc) <= 2
    points = [0] if nfkc == chr(c) else [ord(x) for x in nfkc]
    print(f'    {{{", ".join(f"{p:#x}" if p else "0" for p in points)}}}, /* {c:04X} */')
print('};')
