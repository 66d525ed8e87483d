#include "formats/record/record_info.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/record/json_record.h"

enum { FIELD, MODEL, PROGRAM };
enum { TENSOR = 100 };    /* the `kind` of an info_line of tensors, larger than every enum mp_kind */

int info_open(struct info *s, struct arena *keep) {
    *s = (struct info){.keep = keep};
    s->line = arena_take(keep, INFO_LINES, sizeof *s->line);
    return s->line ? 0 : -1;
}

/* Finds the line with the group, name, text and kind of `key`, or makes it, and counts one record on it.  Returns NULL
 * when the line is new and the table already has INFO_LINES lines, or `keep` is full. */
static struct info_line *line(struct info *s, const struct info_line *key) {
    struct info_line *l;

    for (size_t i = 0; i < s->n; i++) {
        l = &s->line[i];
        if (l->group == key->group && l->kind == key->kind && l->nd == key->nd && span_equal(l->name, key->name) &&
            span_equal(l->text, key->text)) {
            l->records++;
            return l;
        }
    }
    if (s->n == INFO_LINES) {
        s->other++;
        return NULL;
    }
    l = &s->line[s->n];
    *l = *key;
    l->name = arena_span(s->keep, key->name);
    l->text = arena_span(s->keep, key->text);
    if (!l->name.p || !l->text.p)
        return NULL;
    s->n++;
    l->records = 1;
    return l;
}

static void widen(struct info_line *l, double v) {
    l->min = l->records == 1 || v < l->min ? v : l->min;
    l->max = l->records == 1 || v > l->max ? v : l->max;
}

static void add_field(struct info *s, struct span name, struct span v) {
    struct info_line key = {.group = FIELD, .name = name}, *l;
    struct tensor t = {.nd = 0};
    struct mp_item it;

    mp_item(v.p, v.n, &it);
    key.kind = it.kind == MP_UINT ? MP_INT : (int)it.kind;
    if (it.kind == MP_MAP && record_tensor_of(v, "", &t, NULL) == 1) {
        key.kind = TENSOR;
        key.nd = t.nd;
        key.text = span_of(dtype_name(t.dtype));
    }
    if (!(l = line(s, &key)))
        return;
    if (it.kind == MP_INT || it.kind == MP_UINT || it.kind == MP_FLOAT)
        widen(l, it.kind == MP_FLOAT ? it.f : it.kind == MP_INT ? (double)it.i : (double)it.u);
    if (it.kind == MP_ARRAY)
        widen(l, (double)it.n);
    for (int i = 0; i < t.nd; i++) {
        l->lo[i] = l->records == 1 || t.shape[i] < l->lo[i] ? t.shape[i] : l->lo[i];
        l->hi[i] = l->records == 1 || t.shape[i] > l->hi[i] ? t.shape[i] : l->hi[i];
    }
}

/* Returns the characters of the str or bin at *p, or an empty span for another value.  Moves *p past the value. */
static struct span take_text(const unsigned char **p, const unsigned char *end) {
    struct mp_item it;
    const unsigned char *at = *p;

    *p += mp_size(at, (size_t)(end - at));
    if (mp_item(at, (size_t)(end - at), &it) != 1 || (it.kind != MP_STR && it.kind != MP_BIN))
        return span_bytes(at, 0);
    return span_bytes(at + it.head, (size_t)it.n);
}

/* Counts the entries of the fields model, {field: fingerprint}, and params, [[program, {..}], ..]. */
static void add_lists(struct info *s, const struct record *r) {
    struct info_line key = {.group = MODEL};
    const unsigned char *p, *end;
    struct mp_item it, pair;
    struct span v;

    if (record_raw(r, "model", &v) == 1 && mp_item(v.p, v.n, &it) == 1 && it.kind == MP_MAP) {
        p = v.p + it.head;
        for (uint64_t i = 0; i < it.n; i++) {
            key.name = take_text(&p, v.p + v.n);
            key.text = take_text(&p, v.p + v.n);
            line(s, &key);
        }
    }
    if (record_raw(r, "params", &v) != 1 || mp_item(v.p, v.n, &it) != 1 || it.kind != MP_ARRAY)
        return;
    p = v.p + it.head;
    end = v.p + v.n;
    for (uint64_t i = 0; i < it.n; i++) {
        const unsigned char *first = p;

        p += mp_size(p, (size_t)(end - p));
        mp_item(first, (size_t)(p - first), &pair);
        if (pair.kind != MP_ARRAY || !pair.n)
            continue;
        first += pair.head;
        key = (struct info_line){.group = PROGRAM, .name = take_text(&first, p)};
        line(s, &key);
    }
}

void info_add(struct info *s, const struct record *r) {
    s->records++;
    s->errors += record_has(r, "error");
    for (size_t i = 0; i < r->nfield; i++)
        add_field(s, r->field[i].key, r->field[i].val);
    add_lists(s, r);
}

/* ---- printing ---- */

static void put(struct mp *out, const char *s) {
    mp_raw(out, span_of(s));
}

static void put_count(struct mp *out, const char *name, uint64_t n) {
    char text[64];

    snprintf(text, sizeof text, "%s\t%" PRIu64 "\n", name, n);
    put(out, text);
}

/* Appends a name.  A control character is replaced by "?", and so is each byte above 7f if the name is not UTF-8. */
static void put_name(struct mp *out, struct span s) {
    bool utf8 = utf8_valid(s.p, s.n);

    for (size_t i = 0, n; i < s.n; i += n) {
        n = utf8_control(s.p + i, s.n - i);
        if (n || (!utf8 && s.p[i] > 0x7f))
            put(out, "?");
        else
            mp_raw(out, span_bytes(s.p + i, 1));
        n += !n;
    }
}

static void put_range(struct mp *out, double lo, double hi, bool whole) {
    char text[80];
    size_t n;

    if (whole) {
        n = (size_t)snprintf(text, sizeof text, "%.0f", lo);
        if (hi > lo)
            snprintf(text + n, sizeof text - n, "..%.0f", hi);
    } else {
        snprintf(text, sizeof text, hi > lo ? "%.6g..%.6g" : "%.6g", lo, hi);
    }
    put(out, text);
}

static void put_kind(struct mp *out, const struct info_line *l) {
    static const char *const name[] = {[MP_NIL] = "nil", [MP_BOOL] = "bool", [MP_INT] = "int ", [MP_FLOAT] = "float ",
                                       [MP_STR] = "str", [MP_BIN] = "bin", [MP_EXT] = "ext", [MP_ARRAY] = "array[",
                                       [MP_MAP] = "map"};

    if (l->kind != TENSOR) {
        put(out, name[l->kind]);
        if (l->kind == MP_INT || l->kind == MP_ARRAY || l->kind == MP_FLOAT)
            put_range(out, l->min, l->max, l->kind != MP_FLOAT);
        put(out, l->kind == MP_ARRAY ? "]" : "");
        return;
    }
    for (size_t i = 0; i < l->text.n; i++) {
        unsigned char c = l->text.p[i] | 0x20;    /* the type in lower case: f32 for F32 */

        mp_raw(out, span_bytes(&c, 1));
    }
    put(out, "[");
    for (int i = 0; i < l->nd; i++) {
        put(out, i ? "," : "");
        put_range(out, (double)l->lo[i], (double)l->hi[i], true);
    }
    put(out, "]");
}

void info_print(const struct info *s, struct mp *out) {
    static const char *const group[] = {"field\t", "model\t", "program\t"};
    char text[32];

    put_count(out, "records", s->records);
    put_count(out, "errors", s->errors);
    put_count(out, "bytes", s->bytes);
    for (int g = FIELD; g <= PROGRAM; g++)
        for (size_t i = 0; i < s->n; i++) {
            const struct info_line *l = &s->line[i];

            if (l->group != g)
                continue;
            put(out, group[g]);
            put_name(out, l->name);
            snprintf(text, sizeof text, "\t%" PRIu64, l->records);
            put(out, text);
            put(out, g == PROGRAM ? "" : "\t");
            if (g == FIELD)
                put_kind(out, l);
            else if (g == MODEL)
                put_name(out, l->text);
            put(out, "\n");
        }
    if (s->other)
        put_count(out, "other", s->other);
}
