/* The mould of a scan: what most records of a file have in common. */
#include <math.h>
#include <string.h>

#include "tools/stage/scan.h"

/* Reads the id at p: its characters into *id, and whether it is binary into *bin.  Returns false if the bytes end
 * inside the id. */
static bool id_at(const unsigned char *p, size_t n, struct span *id, bool *bin) {
    struct mp_item it;

    if (mp_item(p, n, &it) != 1 || (it.kind != MP_STR && it.kind != MP_BIN) || it.n > n - it.head)
        return false;
    *id = span_bytes(p + it.head, (size_t)it.n);
    *bin = it.kind == MP_BIN;
    return true;
}

/* Returns the end of the value at p if the n bytes hold all of it and it is a finite number, a str or a bin; else NULL. */
static const unsigned char *past_value(const unsigned char *p, size_t n) {
    struct mp_item it;

    if (mp_item(p, n, &it) != 1 || it.n > n - it.head)
        return NULL;
    if (it.kind == MP_STR || it.kind == MP_BIN)
        return p + it.head + it.n;
    return it.kind == MP_INT || (it.kind == MP_FLOAT && isfinite(it.f)) ? p + it.head : NULL;
}

const unsigned char *scan_fill(const struct scan_mould *m, const unsigned char *p, size_t n, size_t *used) {
    const unsigned char *q;
    size_t at = 0, upto;
    struct span id;
    bool bin;

    if (!m->bytes || n < RECORD_START_LEN || memcmp(p, RECORD_START, RECORD_START_LEN) != 0 ||
        !id_at(p + RECORD_START_LEN, n - RECORD_START_LEN, &id, &bin))
        return NULL;
    q = id.p + id.n;
    for (size_t i = 0; i <= m->holes; i++, at = upto) {
        upto = i < m->holes ? m->hole[i] : m->before;
        if (upto - at > n - (size_t)(q - p) || memcmp(q, m->text + at, upto - at) != 0)
            return NULL;
        q += upto - at;
        if (i < m->holes && !(q = past_value(q, n - (size_t)(q - p))))
            return NULL;
    }
    if (m->bytes + m->after > n - (size_t)(q - p) || memcmp(q + m->bytes, m->text + m->before, m->after) != 0 ||
        (!bin && !utf8_valid(id.p, id.n)))
        return NULL;
    *used = (size_t)(q - p) + m->bytes + m->after;
    return q;
}

/* Copies the bytes from `from` to `data` into the mould, without the field values that become holes.  Returns false if the
 * bytes do not fit into the mould. */
static bool before(struct scan_mould *m, const struct record *r, const unsigned char *from, const unsigned char *data) {
    m->before = m->holes = 0;
    for (size_t i = 0; i <= r->nfield; i++) {
        struct span v = i < r->nfield ? r->field[i].val : span_bytes(data, 0);

        if (v.p < from || v.p > data || (v.p < data && (m->holes == SCAN_HOLES || past_value(v.p, v.n) != v.p + v.n)))
            continue;
        if ((size_t)(v.p - from) > sizeof m->text - m->before)
            return false;
        memcpy(m->text + m->before, from, (size_t)(v.p - from));
        m->before += (size_t)(v.p - from);
        if (v.p == data)
            return true;
        m->hole[m->holes++] = m->before;
        from = v.p + v.n;
    }
    return false;
}

const void *scan_make(struct scan_mould *m, const struct scan_query *q, const unsigned char *p, size_t n, size_t *used,
                      struct arena *a) {
    const unsigned char *from, *data, *behind;
    struct record r;
    struct vector v;

    m->bytes = 0;
    if (record_parse(&r, p, n, used, a, NULL) != 1 || record_has(&r, "error") ||
        (q->into && result_fits(&r, q->kind, NULL) < 0) ||
        vector_find(&v, &r, q->field, a, NULL) < 0 ||
        vector_fits(&v, &q->from, q->joint, q->force, NULL) < 0 || scan_unsure(q, &v))
        return NULL;
    m->dtype = v.dtype;
    from = r.id.p + r.id.n;
    data = v.data;
    if (data < from || data >= p + *used)    /* the elements were converted to f32 in the arena; a mould cannot be made */
        return data;
    behind = data + v.d * dtype_size(v.dtype);
    m->after = (size_t)(p + *used - behind);
    if (!before(m, &r, from, data) || m->after > sizeof m->text - m->before)
        return data;
    memcpy(m->text + m->before, behind, m->after);
    m->bytes = (size_t)(behind - data);
    return data;
}
