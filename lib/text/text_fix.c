#include "lib/text/text_fix.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "lib/base/utf8.h"
#include "lib/text/text_tables.h"

/* ---- entities ---- */

/* The code points of the bytes 80..9f in windows-1252; 0 if the byte has no character. */
static const uint16_t cp1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static uint32_t from_c1(uint32_t c) {
    return c >= 0x80 && c <= 0x9f && cp1252[c - 0x80] ? cp1252[c - 0x80] : c;
}

/* Returns the character that a numeric reference stands for, or 0 if the reference is removed. */
static uint32_t charref(uint32_t num) {
    if (num == 0 || num > 0x10ffff || (num >= 0xd800 && num <= 0xdfff))
        return 0xfffd;
    if (num <= 8 || num == 0xb || (num >= 0xe && num <= 0x1f) || num == 0x7f ||
        (num >= 0xfdd0 && num <= 0xfdef) || (num & 0xfffe) == 0xfffe)
        return 0;
    return from_c1(num);
}

static int digit(uint32_t c, uint32_t base) {
    if (c >= '0' && c <= '9')
        return (int)(c - '0');
    c |= 32;
    return base == 16 && c >= 'a' && c <= 'f' ? (int)(c - 'a') + 10 : -1;
}

static bool is_alnum(uint32_t c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* Read the number at s, which follows "#", into *num.  Returns how many characters it has, or 0 if s has no number. */
static size_t number(const uint32_t *s, size_t n, uint32_t *num) {
    uint32_t base = n > 1 && (s[0] | 32) == 'x' && digit(s[1], 16) >= 0 ? 16 : 10;
    size_t i, start = base == 16;

    *num = 0;
    for (i = start; i < n && digit(s[i], base) >= 0; i++)
        if (*num <= 0x10ffff)
            *num = *num * base + (uint32_t)digit(s[i], base);
    return i > start ? i : 0;
}

struct name {
    const char *s;
    size_t n;
};

static int compare_name(const void *key, const void *entry) {
    const struct name *k = key;
    const struct entity *t = entry;
    int c = strncmp(k->s, t->name, k->n);

    return c ? c : -(t->name[k->n] != 0);
}

static const struct entity *find(const struct entity *table, size_t n, const char *s, size_t len) {
    struct name key = {s, len};

    return bsearch(&key, table, n, sizeof *table, compare_name);
}

/* ---- ftfy, character by character ---- */

static void put(struct points *d, uint32_t c) {
    if (d->n < d->cap)
        d->v[d->n] = c;
    d->n++;    /* nfc notices later if n > cap */
}

static const char *ligature(uint32_t c) {
    switch (c) {
    case 0x132: return "IJ";
    case 0x133: return "ij";
    case 0x149: return "'n";           /* the first character is U+02BC, which the step for quotes turns into "'" */
    case 0x1c7: return "LJ";
    case 0x1c8: return "Lj";
    case 0x1c9: return "lj";
    case 0x1ca: return "NJ";
    case 0x1cb: return "Nj";
    case 0x1cc: return "nj";
    case 0x1f1: return "DZ";
    case 0x1f2: return "Dz";
    case 0x1f3: return "dz";
    case 0xfb00: return "ff";
    case 0xfb01: return "fi";
    case 0xfb02: return "fl";
    case 0xfb03: return "ffi";
    case 0xfb04: return "ffl";
    case 0xfb06: return "st";
    default: return NULL;
    }
}

/* Apply the steps for C1 controls, ligatures, widths, quotes and line breaks to c.  Writes 1 to 3 characters to out and
 * returns their number. */
static int fix_char(uint32_t c, uint32_t out[3]) {
    const char *l;
    int k = 0;

    c = from_c1(c);
    if (c >= 0x132 && (l = ligature(c))) {
        while (l[k])
            out[k] = (uint32_t)l[k], k++;
        return k;
    }
    out[1] = 0;
    if (c >= 0x1c4 && c <= 0x1c6) {
        out[0] = c == 0x1c6 ? 'd' : 'D';
        out[1] = c == 0x1c4 ? 0x17d : 0x17e;
    } else if (c == 0xfb05) {
        out[0] = 0x17f;
        out[1] = 't';
    } else if (c >= WIDTH_FIRST && c <= WIDTH_LAST && width_map[c - WIDTH_FIRST][0]) {
        out[0] = width_map[c - WIDTH_FIRST][0];
        out[1] = width_map[c - WIDTH_FIRST][1];
    } else if (c == 0x3000) {
        out[0] = ' ';
    } else if (c >= 0x201c && c <= 0x201f) {
        out[0] = '"';
    } else if ((c >= 0x2018 && c <= 0x201b) || c == 0x2bc) {
        out[0] = '\'';
    } else if (c == '\r' || c == 0x2028 || c == 0x2029) {
        out[0] = '\n';
    } else {
        out[0] = c;
    }
    return 1 + (out[1] != 0);
}

static bool is_dropped(uint32_t c) {
    return c <= 8 || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f ||
           (c >= 0x206a && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

enum { FTFY_NAME = 24 };    /* characters between "&" or "&#" and ";" */

/* Look up the entity "&" s, where s has n characters and ends with ";".  Writes the characters that the entity stands
 * for to out and returns their number, which may be 0.  Returns -1 if this is not an entity. */
static int ftfy_entity(const uint32_t *s, size_t n, uint32_t out[3]) {
    const struct entity *t;
    char name[FTFY_NAME + 1];
    uint32_t num;
    int k;

    if (s[0] == '#') {
        if (number(s + 1, n - 1, &num) != n - 2 || num == ';')
            return -1;
        out[0] = charref(num);
        return out[0] != 0;
    }
    for (size_t i = 0; i < n; i++)
        name[i] = (char)s[i];
    t = find(html5_entity, html5_entity_n, name, n);
    if (!t)
        t = find(upper_entity, upper_entity_n, name, n);
    if (!t)
        return -1;
    for (k = 0; k < 3 && t->to[k]; k++)
        out[k] = t->to[k];
    return k;
}

/* Returns the length of a match of #?[0-9A-Za-z]{1,24}; at s, which follows an "&", or 0 if s does not match. */
static size_t entity_length(const uint32_t *s, size_t n) {
    size_t start = n > 0 && s[0] == '#', i = start;

    while (i < n && i - start < FTFY_NAME && is_alnum(s[i]))
        i++;
    return i > start && i < n && s[i] == ';' ? i + 1 : 0;
}

/* Returns the length of a match of #?[0-9A-Za-z]{1,24} at the end of d, or 0 if no "&" is in front of the match.  The
 * caller is about to append a ";" to d. */
static size_t entity_before(const struct points *d) {
    size_t i = d->n, start;

    while (i > 0 && d->n - i < FTFY_NAME && is_alnum(d->v[i - 1]))
        i--;
    if (i == d->n)
        return 0;
    start = i - (i > 0 && d->v[i - 1] == '#');
    return start > 0 && d->v[start - 1] == '&' ? d->n - start : 0;
}

/* ---- rounds ---- */

/* The first round, as ftfy does it: the characters that an entity became are not searched for entities again. */
static void first_round(const struct points *s, struct points *d, bool entities) {
    uint32_t r[3], q[3];
    size_t len;
    int k;

    d->n = 0;
    for (size_t i = 0; i < s->n; i++) {
        r[0] = s->v[i];
        k = -1;
        if (r[0] == '&' && entities && (len = entity_length(s->v + i + 1, s->n - i - 1)) > 0) {
            k = ftfy_entity(s->v + i + 1, len, r);
            i += k < 0 ? 0 : len;
        }
        if (k < 0)
            k = 1;
        for (int j = 0; j < k; j++)
            for (int x = 0, m = fix_char(r[j], q); x < m; x++)
                put(d, q[x]);
    }
}

static bool is_decimal(uint32_t c) {
    return c < 0x80 ? c >= '0' && c <= '9'
                    : utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

/* Remove terminal escapes, which are ESC, "[", any digits and ";", and a letter; and remove control characters. */
static void drop_controls(struct points *d) {
    size_t o = 0, k;

    if (d->n > d->cap)
        return;
    for (size_t i = 0; i < d->n; i++) {
        if (d->v[i] == 0x1b && i + 1 < d->n && d->v[i + 1] == '[') {
            k = i + 2;
            while (k < d->n && (d->v[k] == ';' || is_decimal(d->v[k])))
                k++;
            if (k < d->n && (d->v[k] | 32) >= 'a' && (d->v[k] | 32) <= 'z') {
                i = k;
                continue;
            }
        }
        if (!is_dropped(d->v[i]))
            d->v[o++] = d->v[i];
    }
    d->n = o;
}

/* If the NFC of c is another character in ASCII, returns that character, else c. */
static uint32_t ascii_singleton(uint32_t c) {
    return c == 0x37e ? ';' : c == 0x1fef ? '`' : c == 0x212a ? 'K' : c;
}

/* Append c to d.  If c is a ";" that ends an entity, remove the entity from d and append what the entity stands for
 * instead. */
static void put_reducing(struct points *d, uint32_t c, bool entities) {
    uint32_t r[3], q[9];
    size_t len;
    int k, m;

    while (c == ';' && entities && d->n < d->cap && (len = entity_before(d)) > 0) {
        d->v[d->n] = ';';
        k = ftfy_entity(d->v + d->n - len, len + 1, r);
        if (k < 0)
            break;
        d->n -= len + 1;
        for (m = 0; k > 0; k--, r[0] = r[1], r[1] = r[2])
            m += fix_char(ascii_singleton(r[0]), q + m);
        if (m == 0)
            return;
        for (k = 0; k < m - 1; k++)
            put(d, q[k]);
        c = q[m - 1];
        if (is_dropped(c))
            return;
    }
    put(d, c);
}

static void later_round(const struct points *s, struct points *d, bool entities) {
    uint32_t q[3];

    d->n = 0;
    for (size_t i = 0; i < s->n; i++)
        for (int x = 0, m = fix_char(ascii_singleton(s->v[i]), q); x < m; x++)
            if (!is_dropped(q[x]))
                put_reducing(d, q[x], entities);
}

/* ---- NFC ---- */

static unsigned combining(uint32_t c) {
    return c < 0x300 ? 0 : (unsigned)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

/* Sort n combining marks by their class; marks of one class keep their order.  tmp has room for n. */
static void sort_marks(uint32_t *v, size_t n, uint32_t *tmp) {
    size_t at[257] = {0};

    if (n < 16) {
        for (size_t i = 1; i < n; i++) {
            uint32_t c = v[i];
            size_t j = i;
            for (; j > 0 && combining(v[j - 1]) > combining(c); j--)
                v[j] = v[j - 1];
            v[j] = c;
        }
        return;
    }
    for (size_t i = 0; i < n; i++)
        at[combining(v[i]) + 1]++;
    for (int k = 1; k < 257; k++)
        at[k] += at[k - 1];
    for (size_t i = 0; i < n; i++)
        tmp[at[combining(v[i])]++] = v[i];
    memcpy(v, tmp, n * sizeof *v);
}

/* Write the NFC of s to d.  s is used as scratch and overwritten.  Returns 0, or -1 if the result does not fit. */
static int nfc(struct points *s, struct points *d) {
    size_t i = 0, j;
    int dummy = 0;

    if (s->n > s->cap)
        return -1;
    while (i < s->n && s->v[i] < 0x300)
        i++;
    if (i == s->n) {
        memcpy(d->v, s->v, s->n * sizeof *s->v);
        d->n = s->n;
        return 0;
    }
    d->n = 0;
    for (i = 0; i < s->n; i++) {
        utf8proc_ssize_t k = 1, room = (utf8proc_ssize_t)(d->cap - d->n);
        if (s->v[i] >= 0xc0)
            k = utf8proc_decompose_char((utf8proc_int32_t)s->v[i],
                                        (utf8proc_int32_t *)d->v + d->n, room,
                                        UTF8PROC_DECOMPOSE, &dummy);
        else if (room > 0)
            d->v[d->n] = s->v[i];
        if (k < 0 || k > room)
            return -1;
        d->n += (size_t)k;
    }
    for (i = 0; i < d->n; i = j + (j == i)) {
        for (j = i; j < d->n && combining(d->v[j]); j++)
            ;
        if (j - i > 1 && j - i <= s->cap)
            sort_marks(d->v + i, j - i, s->v);
    }
    d->n = (size_t)utf8proc_normalize_utf32((utf8proc_int32_t *)d->v, (utf8proc_ssize_t)d->n,
                                            UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    return 0;
}

/* ---- segments ---- */

/* Decode the UTF-8 of s into d.  Returns 0, or -1 with the offset of the first bad byte in *bad. */
static int decode(const unsigned char *s, size_t n, struct points *d, size_t *bad) {
    uint32_t c;
    int k;

    d->n = 0;
    for (size_t i = 0; i < n; i += (size_t)k) {
        k = utf8_get(s + i, n - i, &c);
        if (k < 0) {
            *bad = i;
            return -1;
        }
        put(d, c);
    }
    return 0;
}

/* Apply rounds to b[0] until nothing changes.  Returns which of the two buffers holds the result, or -1 if the result
 * does not fit. */
static int fix_segment(struct points b[2], struct points *tmp, bool entities) {
    first_round(&b[0], tmp, entities);
    drop_controls(tmp);
    for (int at = 0;; at = !at) {
        if (nfc(tmp, &b[!at]) < 0)
            return -1;
        if (b[0].n == b[1].n && !memcmp(b[0].v, b[1].v, b[0].n * sizeof *b[0].v))
            return at;
        later_round(&b[!at], tmp, entities);
    }
}

int text_fix(const unsigned char *s, size_t n, struct points *p, struct arena *a, struct err *e) {
    /* In NFD (decomposed) a text has at most one and a half code points for each byte.  U+01D5 reaches this: it has two
     * bytes and three code points. */
    size_t cap = n + n / 2 + 16, len, bad;
    struct points b[2], tmp;
    bool entities = true;
    int r;

    *p = (struct points){arena_take(a, cap, sizeof *p->v), 0, cap};
    b[0] = (struct points){arena_take(a, cap, sizeof *p->v), 0, cap};
    b[1] = (struct points){arena_take(a, cap, sizeof *p->v), 0, cap};
    tmp = (struct points){arena_take(a, cap, sizeof *p->v), 0, cap};
    if (!p->v || !b[0].v || !b[1].v || !tmp.v)
        return err_set(e, "no memory for a text of %zu bytes", n);
    for (size_t i = 0; i < n; i += len) {
        const unsigned char *nl = memchr(s + i, '\n', n - i);
        len = nl ? (size_t)(nl + 1 - (s + i)) : n - i;
        if (decode(s + i, len, &b[0], &bad) < 0)
            return err_set(e, "not UTF-8 at byte %zu", i + bad);
        if (memchr(s + i, '<', len))
            entities = false;
        r = fix_segment(b, &tmp, entities);
        if (r < 0 || b[r].n > p->cap - p->n)
            return err_set(e, "the text becomes too long when it is cleaned");
        memcpy(p->v + p->n, b[r].v, b[r].n * sizeof *p->v);
        p->n += b[r].n;
    }
    return 0;
}

/* ---- HTML ---- */

/* Read the character reference at s, which follows an "&".  Writes the *k characters that it stands for to out.
 * Returns the length of the reference in characters of s, or 0 if s does not begin with a reference. */
static size_t html_entity(const uint32_t *s, size_t n, uint32_t out[3], int *k) {
    const struct entity *t;
    char name[ENTITY_NAME + 1];
    size_t i, plain;
    uint32_t num;

    *k = 0;
    if (n > 0 && s[0] == '#') {
        i = number(s + 1, n - 1, &num);
        if (i == 0)
            return 0;
        out[0] = charref(num);
        *k = out[0] != 0;
        return 1 + i + (1 + i < n && s[1 + i] == ';');
    }
    /* a name ends after at most 32 characters; only the letters and digits of ASCII at its beginning can match */
    for (i = 0, plain = 0; i < n && i < ENTITY_NAME; i++) {
        uint32_t c = s[i];
        if (c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' ||
            c == '#' || c == ';')
            break;
        if (plain == i && is_alnum(c))
            name[plain++] = (char)c;
    }
    if (plain == i && i > 0 && i < n && s[i] == ';')
        name[plain++] = ';';
    /* try the whole name, then ever shorter beginnings of it, down to two characters */
    for (; plain >= 2; plain--)
        if ((t = find(html5_entity, html5_entity_n, name, plain))) {
            for (; *k < 3 && t->to[*k]; ++*k)
                out[*k] = t->to[*k];
            return plain;
        }
    return 0;
}

void html_unescape(struct points *p) {
    uint32_t r[3];
    size_t o = 0, used;
    int k;

    for (size_t i = 0; i < p->n;) {
        used = p->v[i] == '&' ? html_entity(p->v + i + 1, p->n - i - 1, r, &k) : 0;
        if (used == 0) {
            p->v[o++] = p->v[i++];
            continue;
        }
        for (int j = 0; j < k; j++)    /* at most as long as the reference, whose shortest form is "&lt" */
            p->v[o++] = r[j];
        i += 1 + used;
    }
    p->n = o;
}
