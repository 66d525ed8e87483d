#include "tools/stage/name_pattern.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/utf8.h"

/* Returns the letter of the directive whose percent sign is just before s, or 0 if no directive has that letter.  *len
 * receives the directive's length without the percent sign. */
static char directive(const char *s, size_t *len, int *width, bool *zeros) {
    const char *p = s;

    *zeros = *p == '0';
    *width = 0;
    while (isdigit((unsigned char)*p) && *width <= NAME_WIDTH)
        *width = *width * 10 + (*p++ - '0');
    *len = (size_t)(p - s) + 1;
    if (*width > NAME_WIDTH || !*p || !strchr("dibrs%", *p) || (p > s && *p != 'd'))
        return 0;
    return *p;
}

int name_parse(const char *pattern, size_t *directives, struct err *e) {
    size_t len;
    bool zeros;
    int width;

    *directives = 0;
    for (const char *p = pattern; (p = strchr(p, '%')); p += len) {
        char c = directive(++p, &len, &width, &zeros);

        if (!c)
            return err_set(e, "'%%%.8s' is none of %%d %%i %%b %%r %%s %%%%", p);
        *directives += c != '%';
    }
    return 0;
}

/* ---- parts ---- */

static bool harmless(uint32_t c) {
    return c >= 0x20 && c != '/' && !(c >= 0x7f && c < 0xa0);
}

/* Appends the text s of a record to a file name.  The text is made safe as name_pattern.h says. */
static void put_safe(struct mp *m, struct span s) {
    const unsigned char bar = '_';
    size_t n = 0, most = s.n > NAME_PART ? NAME_PART - 17 : NAME_PART;
    char hash[24];

    for (size_t i = 0; i < s.n;) {
        uint32_t c = 0;
        int len = utf8_get(s.p + i, s.n - i, &c);
        bool good = len > 0 && harmless(c) && !(i == 0 && (c == '.' || c == '-'));
        size_t step = len > 0 ? (size_t)len : 1, add = good ? step : 1;

        if (n + add > most)
            break;
        mp_raw(m, good ? span_bytes(s.p + i, step) : span_bytes(&bar, 1));
        n += add;
        i += step;
    }
    if (!s.n)
        mp_raw(m, span_bytes(&bar, 1));
    if (s.n > NAME_PART) {
        snprintf(hash, sizeof hash, "-%016" PRIx64, XXH64(s.p, s.n, 0));
        mp_raw(m, span_of(hash));
    }
}

struct span name_base(struct span s) {
    size_t from, to;

    while (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    for (from = s.n; from > 0 && s.p[from - 1] != '/';)
        from--;
    for (to = s.n; to > from && s.p[to - 1] != '.';)
        to--;
    if (to <= from + 1)    /* the component has no dot, or only its first character is a dot */
        to = s.n + 1;
    return span_bytes(s.p + from, to - 1 - from);
}

static void put_sample(struct mp *m, const struct record *r, struct arena a) {
    int64_t *v;
    size_t n = 0;
    char text[24];

    if (record_ints(r, "sample", &v, &n, &a, NULL) != 1 || !n)
        mp_raw(m, SPAN("0"));
    for (size_t i = 0; i < n && i < 4; i++) {
        snprintf(text, sizeof text, i ? "-%" PRIu64 : "%" PRIu64, (uint64_t)(v[i] < 0 ? 0 : v[i]));
        mp_raw(m, span_of(text));
    }
}

/* ---- names ---- */

static uint64_t *slot_of(const struct name_set *s, uint64_t h) {
    size_t i = (size_t)h & (s->cap - 1);

    while (s->slot[i] && s->slot[i] != h)
        i = (i + 1) & (s->cap - 1);
    return &s->slot[i];
}

int name_set_add(struct name_set *s, const char *name, struct arena *a) {
    uint64_t h = XXH64(name, strlen(name), 0), *slot;

    h += !h;
    if (2 * s->n >= s->cap) {
        struct name_set more = {NULL, s->n, s->cap ? 2 * s->cap : 256};

        more.slot = arena_zero(a, more.cap, sizeof *more.slot);
        if (!more.slot)
            return -1;
        for (size_t i = 0; i < s->cap; i++)
            if (s->slot[i])
                *slot_of(&more, s->slot[i]) = s->slot[i];
        *s = more;
    }
    slot = slot_of(s, h);
    if (*slot)
        return 0;
    *slot = h;
    s->n++;
    return 1;
}

const char *name_make(const char *pattern, const struct record *r, uint64_t number, struct arena *a, struct err *e) {
    size_t room = strlen(pattern) * (NAME_PART + 8) + 64, len;
    unsigned char *p = arena_take(a, room, 1);
    struct mp m = {.p = p, .cap = room, .a = a};
    char text[48];
    int width;
    bool zeros;

    for (const char *s = pattern; p && *s;) {
        size_t plain = strcspn(s, "%");

        mp_raw(&m, span_bytes(s, plain));
        s += plain;
        if (!*s)
            break;
        switch (directive(++s, &len, &width, &zeros)) {
        case 'i': put_safe(&m, r->id); break;
        case 'r': put_safe(&m, record_root(r)); break;
        case 'b': put_safe(&m, name_base(r->id)); break;
        case 's': put_sample(&m, r, *a); break;
        case '%': mp_raw(&m, SPAN("%")); break;
        default:
            snprintf(text, sizeof text, zeros ? "%0*" PRIu64 : "%*" PRIu64, width, number);
            mp_raw(&m, span_of(text));
        }
        s += len;
    }
    mp_raw(&m, SPAN("\0"));
    if (!p || m.full) {
        err_set(e, "out of memory");
        return NULL;
    }
    return (const char *)m.p;
}
