#include "tools/stage/caption.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/image/typeface.h"
#include "formats/record/json_record.h"
#include "lib/base/utf8.h"
#include "tools/stage/name_pattern.h"

static int put_value(struct mp *out, const struct record *r, const char *key, struct arena scratch, struct err *e) {
    char text[40];
    struct span s;
    double d;
    int64_t v;

    if (!strcmp(key, "id")) {
        mp_raw(out, r->id);
    } else if (record_str(r, key, &s, NULL) == 1) {
        mp_raw(out, s);
    } else if (record_int(r, key, &v, NULL) == 1 || record_float(r, key, &d, NULL) != 1) {
        return record_raw(r, key, &s) == 1 ? json_write_value(out, s, 0, scratch, e) : 0;
    } else {
        snprintf(text, sizeof text, "%.4g", d);
        mp_raw(out, span_of(text));
    }
    return 0;
}

int caption_write(struct mp *out, const struct record *r, const char *fields, struct arena scratch, struct err *e) {
    struct span s, name = record_name(r);

    if (!fields) {
        if (record_str(r, "text", &s, NULL) != 1 || !s.n)
            s = memchr(name.p, '/', name.n) ? name_base(name) : name;
        mp_raw(out, s);
        return out->full ? err_set(e, "out of memory") : 0;
    }
    if (!strcmp(fields, "none"))
        return 0;
    for (size_t n, before = out->n; *fields; fields += n + (fields[n] == ',')) {
        char key[256];

        n = strcspn(fields, ",");
        if (n >= sizeof key)
            continue;
        memcpy(key, fields, n);
        key[n] = 0;
        if (!record_has(r, key) && strcmp(key, "id") != 0)
            continue;
        if (out->n > before)
            mp_raw(out, SPAN(" "));
        if (put_value(out, r, key, scratch, e) < 0)
            return -1;
    }
    return out->full ? err_set(e, "out of memory") : 0;
}

const char *caption_string(struct span text, struct arena *a) {
    char *out = arena_take(a, text.n + 1, 1);
    size_t n = 0;

    for (size_t i = 0; out && i < text.n;) {
        uint32_t c = 0;
        int len = utf8_get(text.p + i, text.n - i, &c);
        size_t used = len > 0 ? (size_t)len : (size_t)-len;

        if (len > 0 && (c == ' ' || utf8_control(text.p + i, text.n - i))) {
            if (n && out[n - 1] != ' ')
                out[n++] = ' ';
        } else if (len > 0) {
            memcpy(out + n, text.p + i, used);
            n += used;
        } else {
            out[n++] = '?';
        }
        i += used;
    }
    if (out)
        out[n] = 0;
    return out;
}

/* ---- fonts ---- */

static size_t font_width(const void *of, size_t line, const char *s, size_t n) {
    return (size_t)ceil(typeface_width(of, line, s, n));
}

/* Draws letters with FreeType.  A letter for which memory is lacking is left out. */
static void font_letters(const void *of, size_t line, unsigned char *rgb, size_t w, size_t x, size_t y, size_t room, const char *s,
                         size_t n) {
    const struct typeface_area to = {rgb + (y * w + x) * 3, line, room, w * 3, 3};
    struct err none = {0};

    typeface_draw(of, line, &to, 0, 0, s, n, &none);
}

static bool is_ascii(const char *s) {
    while (*s && !((unsigned char)*s & 0x80))
        s++;
    return !*s;
}

/* Returns a copy of s, in memory from the arena a, with '?' for each character outside ASCII. */
static const char *to_ascii(const char *s, struct arena *a) {
    char *out = arena_take(a, strlen(s) + 1, 1);
    size_t n = 0;

    for (; out && *s; s++)
        if (((unsigned char)*s & 0xc0) != 0x80)
            out[n++] = (unsigned char)*s & 0x80 ? '?' : *s;
    if (out)
        out[n] = 0;
    return out ? out : "";
}

int caption_font(struct sheet *s, struct sheet_cell *cell, const char *file, struct arena *a, struct err *e) {
    static struct sheet_font font = {font_width, font_letters, NULL};
    bool ascii = true;

    for (size_t i = 0; i < s->n; i++)
        ascii = ascii && is_ascii(cell[i].caption);
    if (ascii && !file)
        return 0;
    if ((font.of = typeface_open(file, e))) {
        s->font = &font;
        for (size_t i = 0; i < s->n && typeface_has(font.of, cell[i].caption, strlen(cell[i].caption), e); i++)
            ;
        return 0;
    }
    for (size_t i = 0; i < s->n; i++)
        cell[i].caption = to_ascii(cell[i].caption, a);
    return -1;
}
