/* The getters of record.h.  They decode the raw spans of a record, and check that each value has the type and form that
 * the caller wants. */
#include "formats/record/record.h"

#include <string.h>

int record_raw(const struct record *r, const char *key, struct span *val) {
    struct span name = span_of(key);

    for (size_t i = 0; i < r->nfield; i++)
        if (span_equal(r->field[i].key, name)) {
            *val = r->field[i].val;
            return 1;
        }
    return 0;
}

bool record_has(const struct record *r, const char *key) {
    struct span v;

    return record_raw(r, key, &v) == 1;
}

/* Finds the value v of the field `key`, and decodes the head of the value into *it.  Returns whether the field was
 * found. */
static int get(const struct record *r, const char *key, struct span *v, struct mp_item *it) {
    return record_raw(r, key, v) == 1 && mp_item(v->p, v->n, it) == 1;
}

static struct span payload(struct span v, const struct mp_item *it) {
    return span_bytes(v.p + it->head, v.n - it->head);
}

static bool is_text(const struct mp_item *it) {
    return it->kind == MP_STR || it->kind == MP_BIN;
}

int record_str(const struct record *r, const char *key, struct span *s, struct err *e) {
    struct mp_item it;
    struct span v;

    if (!get(r, key, &v, &it))
        return 0;
    if (!is_text(&it))
        return err_set(e, "field %s is not a string", key);
    *s = payload(v, &it);
    return 1;
}

struct span record_root(const struct record *r) {
    struct span s;

    return record_str(r, "root", &s, NULL) == 1 ? s : r->id;
}

int record_sub_str(const struct record *r, const char *key, const char *sub, struct span *s,
                   struct err *e) {
    struct mp_item map, k, it;
    size_t pos, len;
    struct span v;

    if (!get(r, key, &v, &map))
        return 0;
    if (map.kind != MP_MAP)
        return err_set(e, "field %s is not a map", key);
    pos = map.head;
    for (uint64_t i = 0; i < map.n; i++, pos += len) {
        struct span at = {v.p + pos, mp_size(v.p + pos, v.n - pos)}, val;

        val.p = at.p + at.n;
        val.n = mp_size(val.p, v.n - pos - at.n);
        len = at.n + val.n;
        if (mp_item(at.p, at.n, &k) != 1 || !is_text(&k) || !span_is(payload(at, &k), sub))
            continue;
        if (mp_item(val.p, val.n, &it) != 1 || !is_text(&it))
            return err_set(e, "field %s: %s is not a string", key, sub);
        *s = payload(val, &it);
        return 1;
    }
    return 0;
}

int mp_last_pair(struct span params, const char *program, struct span *map) {
    struct mp_item all, pair, name;
    size_t pos, len;
    int found = 0;

    if (mp_item(params.p, params.n, &all) != 1 || all.kind != MP_ARRAY)
        return 0;
    pos = all.head;
    for (uint64_t i = 0; i < all.n; i++, pos += len) {
        const unsigned char *p = params.p + pos;
        size_t first;

        len = mp_size(p, params.n - pos);
        if (mp_item(p, len, &pair) != 1 || pair.kind != MP_ARRAY || pair.n != 2)
            continue;
        p += pair.head;
        first = mp_size(p, len - pair.head);
        if (mp_item(p, first, &name) != 1 || !is_text(&name) ||
            !span_is(span_bytes(p + name.head, first - name.head), program))
            continue;
        *map = span_bytes(p + first, len - pair.head - first);
        found = 1;
    }
    return found;
}

/* ---- tensors ---- */

struct parts {    /* the values of the five entries of a tensor's map; p is NULL if the entry is absent */
    struct span nd, type, kind, shape, data;
};

static int read_parts(struct span v, const struct mp_item *map, struct parts *t) {
    static const char *const name[] = {"nd", "type", "kind", "shape", "data"};
    struct span *part[] = {&t->nd, &t->type, &t->kind, &t->shape, &t->data};
    size_t pos = map->head;
    struct mp_item k;

    for (uint64_t i = 0; i < map->n; i++) {
        struct span key = {v.p + pos, mp_size(v.p + pos, v.n - pos)}, val;

        val.p = key.p + key.n;
        val.n = mp_size(val.p, v.n - pos - key.n);
        pos += key.n + val.n;
        mp_item(key.p, key.n, &k);
        for (size_t j = 0; j < 5 && is_text(&k); j++) {
            if (!span_is(payload(key, &k), name[j]))
                continue;
            if (part[j]->p)
                return -1;
            *part[j] = val;
        }
    }
    return 0;
}

/* Returns the characters of a str or bin, or an empty span for another value. */
static struct span text_of(struct span v) {
    struct mp_item it;

    if (v.p && mp_item(v.p, v.n, &it) == 1 && is_text(&it))
        return payload(v, &it);
    return (struct span){0};
}

static int read_shape(struct span v, struct tensor *t) {
    struct mp_item it;
    size_t pos;

    if (mp_item(v.p, v.n, &it) != 1 || it.kind != MP_ARRAY || it.n > TENSOR_DIMS)
        return -1;
    t->nd = (int)it.n;
    pos = it.head;
    for (int i = 0; i < t->nd; i++) {
        if (mp_item(v.p + pos, v.n - pos, &it) != 1 || it.kind != MP_INT || it.i < 0)
            return -1;
        t->shape[i] = (size_t)it.i;
        pos += it.head;
    }
    return 0;
}

static int bad_tensor(const char *key, const char *why, struct err *e) {
    return err_set(e, "field %s: %s", key, why);
}

static int read_tensor(const char *key, struct span v, const struct mp_item *map, struct tensor *t,
                       struct err *e) {
    struct parts s = {.nd = {NULL, 0}};
    struct span type, data;
    struct mp_item nd, it;
    size_t count, bytes;

    if (read_parts(v, map, &s) < 0)
        return bad_tensor(key, "a tensor with an entry that occurs twice", e);
    if (!s.nd.p || mp_item(s.nd.p, s.nd.n, &nd) != 1 || nd.kind != MP_BOOL)
        return bad_tensor(key, "not a tensor", e);
    if (text_of(s.kind).n)
        return bad_tensor(key, "a tensor of objects or structures", e);
    type = text_of(s.type);
    if (mp_dtype(type, &t->dtype) < 0)
        return err_set(e, "field %s: a tensor of unknown type%s", key,
                       type.n && *type.p == '>' ? " (big-endian)" : "");
    t->nd = 0;
    if (nd.b && (!s.shape.p || read_shape(s.shape, t) < 0))
        return bad_tensor(key, "a tensor without a shape of at most 8 sizes", e);
    if (!s.data.p || mp_item(s.data.p, s.data.n, &it) != 1 || it.kind != MP_BIN)
        return bad_tensor(key, "a tensor without data", e);
    data = payload(s.data, &it);
    if (tensor_count(t, &count) < 0 || __builtin_mul_overflow(count, dtype_size(t->dtype), &bytes) ||
        bytes != data.n)
        return bad_tensor(key, "a tensor whose data does not fit its shape", e);
    t->data = data.p;
    tensor_contiguous(t);
    return 1;
}

int record_tensor_of(struct span v, const char *name, struct tensor *t, struct err *e) {
    struct mp_item it;

    if (mp_item(v.p, v.n, &it) != 1 || it.kind != MP_MAP)
        return bad_tensor(name, "not a tensor", e);
    return read_tensor(name, v, &it, t, e);
}

int record_tensor(const struct record *r, const char *key, struct tensor *t, struct err *e) {
    struct span v;

    return record_raw(r, key, &v) == 1 ? record_tensor_of(v, key, t, e) : 0;
}

/* Returns whether all n elements, of 2, 4 or 8 bytes, are finite.  Eight bytes are checked at a time.  The exponent of
 * an element that is not finite is all ones, so adding one to the exponent carries into the sign bit.  The carry never
 * reaches the next element. */
static bool all_finite(const unsigned char *p, size_t n, enum dtype dt) {
    static const uint64_t every[] = {[2] = 0x0001000100010001, [4] = 0x0000000100000001, [8] = 1};
    size_t size = dtype_size(dt), bytes = n * size;
    uint64_t ones = dt == DT_F16 ? 0x7c00 : dt == DT_F32 ? 0x7f800000 : 0x7ff0000000000000;
    uint64_t unit = (ones & -ones) * every[size], top = every[size] << (8 * size - 1);
    uint64_t a, b, seen = 0;

    ones *= every[size];
    for (; bytes >= 16; p += 16, bytes -= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        seen |= ((a & ones) + unit) | ((b & ones) + unit);
    }
    for (a = 0; bytes; p += b, bytes -= b) {
        b = bytes < 8 ? bytes : 8;
        memcpy(&a, p, b);
        seen |= (a & ones) + unit;
        a = 0;
    }
    return !(seen & top);
}

/* Converts the tensor to *n f32 in the arena a.  Refuses elements that are not finite as f32. */
static int widen(const char *key, const struct tensor *t, const float **v, size_t *n, struct arena *a,
                 struct err *e) {
    bool floats = t->dtype == DT_F32 || t->dtype == DT_F16 || t->dtype == DT_F64;

    if (tensor_count(t, n) < 0)
        return bad_tensor(key, "a tensor that is too large", e);
    if (floats && !all_finite(t->data, *n, t->dtype))
        return bad_tensor(key, "a number that is not finite", e);
    if (!(*v = tensor_all_f32(t, a)))
        return err_set(e, "out of memory");
    for (size_t i = 0; t->dtype == DT_F64 && i < *n; i++)
        if (!((*v)[i] - (*v)[i] == 0))
            return bad_tensor(key, "a number beyond the range of f32", e);
    return 1;
}

int record_floats(const struct record *r, const char *key, const float **v, size_t *n,
                  struct arena *a, struct err *e) {
    struct tensor t;
    int rc = record_tensor(r, key, &t, e);

    if (rc <= 0)
        return rc;
    if (t.nd != 1 || (t.dtype != DT_F32 && t.dtype != DT_F16 && t.dtype != DT_F64))
        return bad_tensor(key, "not a vector of floats", e);
    return widen(key, &t, v, n, a, e);
}

int record_numbers(const struct record *r, const char *key, const float **v, size_t *n,
                   struct arena *a, struct err *e) {
    struct tensor t;
    int rc = record_tensor(r, key, &t, e);

    return rc <= 0 ? rc : widen(key, &t, v, n, a, e);
}

/* ---- numbers, encoded as MessagePack numbers or as numpy scalars ---- */

static int64_t element_int(const struct tensor *t, size_t i) {
    const unsigned char *p = (const unsigned char *)t->data + i * dtype_size(t->dtype);
    uint64_t u = 0;

    memcpy(&u, p, dtype_size(t->dtype));
    switch (t->dtype) {
    case DT_I32: return (int32_t)u;
    case DT_I16: return (int16_t)u;
    case DT_I8: return (int8_t)u;
    default: return (int64_t)u;
    }
}

/* On entry *it is the parsed head of the MessagePack value v.  Sets *it to the number that v holds, of kind MP_INT,
 * MP_UINT or MP_FLOAT; v may also be a tensor without dimensions (a numpy scalar).  Returns 1, or -1 if v is not a
 * number. */
static int number(const char *key, struct span v, struct mp_item *it, struct err *e) {
    struct tensor t;
    float f;
    double d;

    if (it->kind == MP_INT || it->kind == MP_UINT || it->kind == MP_FLOAT)
        return 1;
    if (it->kind != MP_MAP || read_tensor(key, v, it, &t, NULL) < 0 || t.nd != 0 ||
        t.dtype == DT_BOOL)
        return err_set(e, "field %s is not a number", key);
    if (t.dtype == DT_F64 || t.dtype == DT_F32 || t.dtype == DT_F16) {
        if (!all_finite(t.data, 1, t.dtype))
            return bad_tensor(key, "a number that is not finite", e);
        if (t.dtype == DT_F64) {
            memcpy(&d, t.data, sizeof d);
        } else {
            tensor_f32(&t, 0, 1, &f);
            d = (double)f;
        }
        *it = (struct mp_item){.kind = MP_FLOAT, .f = d};
        return 1;
    }
    *it = (struct mp_item){.kind = MP_INT, .i = element_int(&t, 0)};
    return 1;
}

static int get_number(const struct record *r, const char *key, struct mp_item *it, struct err *e) {
    struct span v;

    return get(r, key, &v, it) ? number(key, v, it, e) : 0;
}

int record_float(const struct record *r, const char *key, double *x, struct err *e) {
    struct mp_item it;
    int got = get_number(r, key, &it, e);

    if (got <= 0)
        return got;
    *x = it.kind == MP_FLOAT ? it.f : it.kind == MP_INT ? (double)it.i : (double)it.u;
    return 1;
}

int record_int(const struct record *r, const char *key, int64_t *x, struct err *e) {
    struct mp_item it;
    int got = get_number(r, key, &it, e);

    if (got <= 0)
        return got;
    if (it.kind != MP_INT)
        return err_set(e, "field %s is not an integer%s", key,
                       it.kind == MP_UINT ? " below 2^63" : "");
    *x = it.i;
    return 1;
}

/* Reads a one-dimensional tensor of integers, which numpy users write instead of an array, into *out. */
static int tensor_ints(const char *key, struct span v, const struct mp_item *it, int64_t **out,
                       size_t *n, struct arena *a, struct err *e) {
    struct tensor t;

    if (it->kind != MP_MAP || read_tensor(key, v, it, &t, NULL) < 0 || t.nd != 1 ||
        t.dtype == DT_F32 || t.dtype == DT_F16 || t.dtype == DT_F64 || t.dtype == DT_BOOL)
        return err_set(e, "field %s is not an array of integers", key);
    if (!(*out = arena_take(a, t.shape[0], sizeof **out)))
        return err_set(e, "out of memory");
    for (size_t i = 0; i < t.shape[0]; i++)
        (*out)[i] = element_int(&t, i);
    *n = t.shape[0];
    return 1;
}

int record_ints(const struct record *r, const char *key, int64_t **out, size_t *n, struct arena *a,
                struct err *e) {
    struct mp_item it, x;
    struct span v;
    size_t pos;

    if (!get(r, key, &v, &it))
        return 0;
    if (it.kind != MP_ARRAY)
        return tensor_ints(key, v, &it, out, n, a, e);
    /* each element has at least one byte, so the record's length limits the allocation */
    if (!(*out = arena_take(a, (size_t)it.n, sizeof **out)))
        return err_set(e, "out of memory");
    *n = (size_t)it.n;
    pos = it.head;
    for (size_t i = 0; i < *n; i++) {
        if (mp_item(v.p + pos, v.n - pos, &x) != 1 || x.kind != MP_INT)
            return err_set(e, "field %s is not an array of integers", key);
        (*out)[i] = x.i;
        pos += x.head;
    }
    return 1;
}
