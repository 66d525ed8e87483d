#include "formats/record/json_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/io/base64.h"

enum { PLAIN_KEYS = 1024 };    /* a map with more keys is written as $map, without a search for double keys */

struct out {
    struct mp *m;
    unsigned flags;
    struct arena scratch;
    struct err *e;
};

static void put(struct out *o, const char *s) {
    mp_raw(o->m, span_of(s));
}

/* Writes s, which is valid UTF-8, as a JSON string. */
static void put_string(struct out *o, struct span s) {
    static const char *const name[] = {['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
                                       ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    char code[8];
    size_t from = 0;

    put(o, "\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = s.p[i];
        size_t control = utf8_control(s.p + i, s.n - i);

        if (!control && c != '"' && c != '\\')
            continue;
        mp_raw(o->m, span_bytes(s.p + from, i - from));
        if (control == 2)    /* a control character of two bytes, U+0080 to U+009F */
            c = s.p[++i];
        snprintf(code, sizeof code, "\\u%04x", c);
        put(o, c < sizeof name / sizeof *name && name[c] ? name[c] : code);
        from = i + 1;
    }
    mp_raw(o->m, span_bytes(s.p + from, s.n - from));
    put(o, "\"");
}

static void put_base64(struct out *o, struct span s) {
    char text[4096];

    put(o, "\"");
    for (size_t k; s.n; s.p += k, s.n -= k) {
        k = s.n < 3072 ? s.n : 3072;
        base64_encode(text, s.p, k);
        mp_raw(o->m, span_bytes(text, base64_length(k)));
    }
    put(o, "\"");
}

/* Replaces the decimal separator of the process's locale (for example a comma) with '.'.  unclip's programs have the locale
 * "C", but a program that uses libunclip may have another.  Returns the new length. */
static int point(char *s, int n) {
    size_t whole = strspn(s, "-0123456789"), mark = strcspn(s + whole, "0123456789e");

    if (mark == 0 || s[whole + mark] == 0)
        return n;
    s[whole] = '.';
    memmove(s + whole + 1, s + whole + mark, strlen(s + whole + mark) + 1);
    return n - (int)mark + 1;
}

size_t json_float(char *s, double v, bool single) {
    int n = 0;

    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        n = snprintf(s, 32, "%.*g", digits, v);
        if (single ? strtof(s, NULL) == (float)v : strtod(s, NULL) == v)
            break;
    }
    n = point(s, n);
    if (!strpbrk(s, ".e"))
        n += snprintf(s + n, 32 - (size_t)n, ".0");
    return (size_t)n;
}

/* ---- tensors ---- */

/* Returns whether v, the encoded tensor t, is byte for byte what mp_tensor writes for its type, shape and data. */
static bool is_own(struct out *o, struct span v, const struct tensor *t, size_t bytes) {
    struct arena scratch = o->scratch;
    struct mp m;

    if (!t->nd && v.p[0] != 0x85)
        return false;
    mp_open(&m, &scratch);
    mp_tensor_head(&m, t->dtype, bytes, t->nd, t->shape);
    return !m.full && m.n + bytes == v.n && !memcmp(m.p, v.p, m.n);
}

static void put_nd(struct out *o, const struct tensor *t, size_t bytes) {
    char text[32];

    put(o, "{\"$nd\":{\"type\":\"");
    put(o, mp_dtype_name(t->dtype));
    put(o, "\",\"shape\":[");
    for (int i = 0; i < t->nd; i++) {
        snprintf(text, sizeof text, "%s%zu", i ? "," : "", t->shape[i]);
        put(o, text);
    }
    put(o, "],\"data\":");
    put_base64(o, span_bytes(t->data, bytes));
    put(o, "}}");
}

/* Writes element i as a number or a bool.  Returns false if it is not finite. */
static bool put_element(struct out *o, const struct tensor *t, size_t i) {
    const unsigned char *p = (const unsigned char *)t->data + i * dtype_size(t->dtype);
    char text[40];
    int64_t n = 0;
    double d;
    float f;

    switch (t->dtype) {
    case DT_F64: memcpy(&d, p, 8); break;
    case DT_F32: case DT_F16: case DT_BF16: tensor_f32(t, i, i + 1, &f); d = (double)f; break;
    case DT_I64: memcpy(&n, p, 8); d = 0; break;
    case DT_BOOL: put(o, *p ? "true" : "false"); return true;
    default: tensor_f32(t, i, i + 1, &f); n = (int64_t)f; d = 0; break;    /* at most 16 bits, exact in f32 */
    case DT_I32: { int32_t w; memcpy(&w, p, 4); n = w; d = 0; break; }
    }
    if (!(d - d == 0))
        return false;
    if (t->dtype == DT_F64 || t->dtype == DT_F32 || t->dtype == DT_F16 || t->dtype == DT_BF16)
        json_float(text, d, t->dtype != DT_F64);
    else
        snprintf(text, sizeof text, "%" PRId64, n);
    put(o, text);
    return true;
}

/* Writes the elements from *at on as arrays nested along the axes from `axis` on, and moves *at past them.  Returns
 * false if an element is not finite. */
static bool put_axis(struct out *o, const struct tensor *t, int axis, size_t *at) {
    bool good = true;

    if (axis == t->nd)
        return put_element(o, t, (*at)++);
    put(o, "[");
    for (size_t i = 0; i < t->shape[axis] && good; i++) {
        if (i)
            put(o, ",");
        good = put_axis(o, t, axis + 1, at);
        if (o->m->full)
            break;
    }
    put(o, "]");
    return good;
}

/* Writes the map v if it is a tensor.  Returns 1, or 0 if the caller must write it as a map. */
static int put_tensor(struct out *o, struct span v) {
    struct tensor t;
    size_t n, bytes, at = 0, rows = 1;

    if (record_tensor_of(v, "", &t, NULL) != 1 || tensor_count(&t, &n) < 0)
        return 0;
    bytes = n * dtype_size(t.dtype);
    if (o->flags & JSON_ARRAYS) {
        /* a tensor of the shape [1000000, 1000000, 0] must not become 10^12 empty arrays */
        for (int i = 0; n == 0 && t.shape[i] != 0; i++)
            if (t.shape[i] > PLAIN_KEYS || (rows *= t.shape[i]) > PLAIN_KEYS)
                return 0;
        if (!put_axis(o, &t, 0, &at))
            return err_set(o->e, "a tensor with a number that is not finite"), 1;
        return 1;
    }
    if (!is_own(o, v, &t, bytes))
        return 0;
    put_nd(o, &t, bytes);
    return 1;
}

/* ---- values ---- */

static size_t put_value(struct out *o, const unsigned char *p, size_t n);

/* Returns whether the map can be written as a JSON object: its keys are distinct strings that JSON can have. */
static bool is_plain(struct out *o, struct span v, const struct mp_item *map) {
    struct arena scratch = o->scratch;
    struct span *key = map->n <= PLAIN_KEYS ? arena_take(&scratch, (size_t)map->n, sizeof *key) : NULL;
    size_t pos = map->head;
    struct mp_item it;

    if (!key)
        return false;
    for (size_t i = 0; i < map->n; i++) {
        mp_item(v.p + pos, v.n - pos, &it);
        key[i] = span_bytes(v.p + pos + it.head, (size_t)it.n);
        if (it.kind != MP_STR || v.p[pos] != mp_smallest(&it) || !utf8_valid(key[i].p, key[i].n) ||
            memchr(key[i].p, 0, key[i].n))
            return false;
        for (size_t j = 0; j < i; j++)
            if (span_equal(key[j], key[i]))
                return false;
        pos += it.head + key[i].n;
        pos += mp_size(v.p + pos, v.n - pos);
    }
    return map->n != 1 || !key[0].n || key[0].p[0] != '$';
}

static void put_map(struct out *o, struct span v, const struct mp_item *map) {
    bool plain = is_plain(o, v, map);
    size_t pos = map->head;

    put(o, plain ? "{" : "{\"$map\":[");
    for (uint64_t i = 0; i < map->n; i++) {
        put(o, i ? (plain ? "," : ",[") : plain ? "" : "[");
        pos += put_value(o, v.p + pos, v.n - pos);
        put(o, plain ? ":" : ",");
        pos += put_value(o, v.p + pos, v.n - pos);
        if (!plain)
            put(o, "]");
    }
    put(o, plain ? "}" : "]}");
}

static void put_array(struct out *o, struct span v, const struct mp_item *array) {
    size_t pos = array->head;

    put(o, "[");
    for (uint64_t i = 0; i < array->n; i++) {
        if (i)
            put(o, ",");
        pos += put_value(o, v.p + pos, v.n - pos);
    }
    put(o, "]");
}

static void put_number(struct out *o, const struct mp_item *it) {
    char text[40];

    if (it->kind == MP_FLOAT)
        json_float(text, it->f, false);
    else if (it->kind == MP_INT)
        snprintf(text, sizeof text, "%" PRId64, it->i);
    else
        snprintf(text, sizeof text, "\"%" PRIu64 "\"", it->u);
    put(o, text);
}

static void put_payload(struct out *o, struct span v, const struct mp_item *it) {
    struct span s = {v.p + it->head, v.n - it->head};
    char text[24];

    switch (it->kind) {
    case MP_NIL: put(o, "null"); break;
    case MP_BOOL: put(o, it->b ? "true" : "false"); break;
    case MP_INT: case MP_UINT: case MP_FLOAT: put_number(o, it); break;
    case MP_ARRAY: put_array(o, v, it); break;
    case MP_MAP:
        if (!put_tensor(o, v))
            put_map(o, v, it);
        break;
    case MP_STR:
        if (utf8_valid(s.p, s.n)) {
            put_string(o, s);
            break;
        }    /* fall through */
    case MP_BIN:
        put(o, "{\"$bytes\":");
        put_base64(o, s);
        put(o, "}");
        break;
    case MP_EXT:
        snprintf(text, sizeof text, "{\"$ext\":[%d,", it->ext);
        put(o, text);
        put_base64(o, s);
        put(o, "]}");
        break;
    }
}

/* Writes the encoded value at p as JSON.  Returns the number of bytes of the encoded value. */
static size_t put_value(struct out *o, const unsigned char *p, size_t n) {
    struct span v = {p, mp_size(p, n)};
    struct mp_item it;
    bool as;

    mp_item(p, n, &it);
    as = p[0] != mp_smallest(&it) || it.kind == MP_UINT ||
         (it.kind == MP_STR && !utf8_valid(p + it.head, (size_t)it.n));
    if (as) {
        put(o, "{\"$as\":[\"");
        put(o, mp_form_name(p[0]));
        put(o, "\",");
    }
    put_payload(o, v, &it);
    if (as)
        put(o, "]}");
    return v.n;
}

int json_write_value(struct mp *out, struct span val, unsigned flags, struct arena scratch,
                     struct err *e) {
    struct err mine = {0};
    struct out o = {out, flags, scratch, &mine};

    put_value(&o, val.p, val.n);
    if (out->full)
        return err_set(e, "out of memory");
    return mine.msg[0] ? err_set(e, "%s", mine.msg) : 0;
}

int json_write(struct mp *out, const struct record *r, unsigned flags, struct arena scratch,
               struct err *e) {
    struct err mine = {0};
    struct span bytes;
    struct out o = {out, flags, scratch, &mine};
    size_t pos = RECORD_START_LEN;

    if (record_encode(r, &bytes, &o.scratch, e) < 0)
        return -1;
    put(&o, "{\"unclip\":1,\"id\":");
    pos += put_value(&o, bytes.p + pos, bytes.n - pos);
    put(&o, ",\"data\":");
    pos += 5;    /* skip the encoded key "data" */
    put_value(&o, bytes.p + pos, bytes.n - pos);
    put(&o, "}\n");
    if (out->full)
        return err_set(e, "out of memory");
    return mine.msg[0] ? err_set(e, "%s", mine.msg) : 0;
}
