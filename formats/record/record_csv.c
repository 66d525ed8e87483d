#include "formats/record/record_csv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/record/json_record.h"

static void put(struct mp *out, const char *s, size_t n) {
    mp_raw(out, span_bytes(s, n));
}

/* Appends s as a CSV value, in quotes if it has a comma, a quote or a line end. */
static void cell(struct mp *out, struct span s) {
    size_t i = 0, from = 0;

    while (i < s.n && !memchr(",\"\r\n", s.p[i], 4))
        i++;
    if (i == s.n) {
        mp_raw(out, s);
        return;
    }
    put(out, "\"", 1);
    for (i = 0; i < s.n; i++)
        if (s.p[i] == '"') {
            mp_raw(out, span_bytes(s.p + from, i + 1 - from));
            from = i;    /* the next piece begins with this quote, so the quote is written twice */
        }
    mp_raw(out, span_bytes(s.p + from, s.n - from));
    put(out, "\"", 1);
}

static bool is_scalar(struct span v) {
    struct mp_item it;

    return mp_item(v.p, v.n, &it) == 1 && it.kind != MP_NIL && it.kind != MP_EXT && it.kind != MP_ARRAY &&
           it.kind != MP_MAP;
}

static bool listed(struct span key, const struct span *name, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (span_equal(name[i], key))
            return true;
    return false;
}

/* Chooses the columns, which are the fields of r, the first record, that hold a string, bytes, a number or a bool. */
static int choose(struct csv *c, const struct record *r) {
    c->name = arena_take(c->keep, RECORD_FIELDS, sizeof *c->name);
    for (size_t i = 0; c->name && i < r->nfield; i++) {
        struct span key = r->field[i].key;

        if (!is_scalar(r->field[i].val))
            continue;
        c->name[c->n] = arena_span(c->keep, key);
        if (!c->name[c->n++].p)
            return -1;
    }
    return c->name ? 0 : -1;
}

static void head(const struct csv *c, struct mp *out) {
    put(out, "id", 2);
    for (size_t i = 0; i < c->n; i++) {
        put(out, ",", 1);
        cell(out, c->name[i]);
    }
    put(out, "\r\n", 2);
}

/* Sets c->extra to the name of the first field that holds a string, bytes, a number or a bool and has no column.  The
 * caller can then warn that the field is left out. */
static void find_extra(struct csv *c, const struct record *r) {
    for (size_t i = 0; i < r->nfield && !c->extra.p; i++) {
        struct span key = r->field[i].key;

        if (is_scalar(r->field[i].val) && !listed(key, c->name, c->n))
            c->extra = arena_span(c->keep, key);
    }
}

static int value(struct mp *out, struct span v, struct arena scratch, struct err *e) {
    struct mp_item it;
    char text[40];
    struct mp json;

    mp_item(v.p, v.n, &it);
    switch (it.kind) {
    case MP_NIL: return 0;
    case MP_BOOL: put(out, it.b ? "true" : "false", it.b ? 4 : 5); return 0;
    case MP_FLOAT: put(out, text, json_float(text, it.f, v.p[0] == 0xca)); return 0;
    case MP_INT: put(out, text, (size_t)snprintf(text, sizeof text, "%" PRId64, it.i)); return 0;
    case MP_UINT: put(out, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, it.u)); return 0;
    case MP_STR: case MP_BIN:
        cell(out, span_bytes(v.p + it.head, v.n - it.head));
        return 0;
    default: break;
    }
    /* The JSON text grows in the arena `scratch`.  The region of `out` does not change meanwhile, so json_write_value
     * takes its own scratch from there. */
    mp_open(&json, &scratch);
    if (json_write_value(&json, v, JSON_ARRAYS, *out->a, e) < 0)
        return -1;
    cell(out, mp_span(&json));
    return 0;
}

int csv_add(struct csv *c, struct mp *out, const struct record *r, struct arena scratch, struct err *e) {
    bool first = !c->begun;

    if (first) {
        if (!c->given && !c->name && choose(c, r) < 0)
            return err_set(e, "out of memory");
        head(c, out);
        c->begun = true;
    }
    if (!c->given)
        find_extra(c, r);
    cell(out, r->id);
    for (size_t i = 0; i < c->n; i++) {
        put(out, ",", 1);
        for (size_t j = 0; j < r->nfield; j++)
            if (listed(r->field[j].key, c->name + i, 1) && value(out, r->field[j].val, scratch, e) < 0) {
                c->begun = !first;
                return -1;
            }
    }
    put(out, "\r\n", 2);
    return out->full ? err_set(e, "out of memory") : 0;
}
