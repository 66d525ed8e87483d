#include "formats/record/params.h"

#include <string.h>

#include "formats/record/mp.h"

static bool is(struct span v, const char *name) {
    struct mp_item it;

    return mp_item(v.p, v.n, &it) == 1 && (it.kind == MP_STR || it.kind == MP_BIN) && it.n == strlen(name) &&
           !memcmp(v.p + it.head, name, it.n);
}

/* Returns the encoded value at *p and moves *p past it. */
static struct span next(const unsigned char **p, const unsigned char *end) {
    struct span v = {*p, mp_size(*p, (size_t)(end - *p))};

    *p += v.n;
    return v;
}

static bool in_map(struct span map, const char *key, struct span *val) {
    const unsigned char *p = map.p, *end = map.p + map.n;
    struct mp_item it;
    bool found = false;

    if (mp_item(p, map.n, &it) != 1 || it.kind != MP_MAP)
        return false;
    p += it.head;
    for (uint64_t i = 0; i < it.n; i++) {
        struct span k = next(&p, end), v = next(&p, end);
        if (is(k, key)) {
            *val = v;
            found = true;
        }
    }
    return found;
}

int params_get(const struct record *r, const char *program, const char *key, struct span *val) {
    struct span all;
    struct mp_item it, pair;
    const unsigned char *p, *end;
    int found = 0;

    if (record_raw(r, "params", &all) <= 0 || mp_item(all.p, all.n, &it) != 1 || it.kind != MP_ARRAY)
        return 0;
    p = all.p + it.head;
    end = all.p + all.n;
    for (uint64_t i = 0; i < it.n; i++) {
        struct span one = next(&p, end);
        const unsigned char *q = one.p;
        if (mp_item(one.p, one.n, &pair) != 1 || pair.kind != MP_ARRAY || pair.n != 2)
            continue;
        q += pair.head;
        if ((!program || is(span_bytes(q, mp_size(q, (size_t)(one.p + one.n - q))), program)) &&
            (next(&q, one.p + one.n), in_map(span_bytes(q, (size_t)(one.p + one.n - q)), key, val)))
            found = 1;
    }
    return found;
}

int params_last_text(const struct record *r, const char *program, const char *key, struct span *s) {
    struct span all, map, v;
    struct mp_item it;

    if (record_raw(r, "params", &all) <= 0 || !mp_last_pair(all, program, &map) || !in_map(map, key, &v) ||
        mp_item(v.p, v.n, &it) != 1 || (it.kind != MP_STR && it.kind != MP_BIN))
        return 0;
    *s = span_bytes(v.p + it.head, (size_t)it.n);
    return 1;
}

static int integer(struct span v, int64_t *out) {
    struct mp_item it;

    if (mp_item(v.p, v.n, &it) != 1 || it.kind != MP_INT)
        return 0;
    *out = it.i;
    return 1;
}

int params_int(const struct record *r, const char *program, const char *key, int64_t *v) {
    struct span val;

    return params_get(r, program, key, &val) && integer(val, v);
}

int params_float(const struct record *r, const char *program, const char *key, double *v) {
    struct mp_item it;
    struct span val;

    if (!params_get(r, program, key, &val) || mp_item(val.p, val.n, &it) != 1 || (it.kind != MP_FLOAT && it.kind != MP_INT))
        return 0;
    *v = it.kind == MP_FLOAT ? it.f : (double)it.i;
    return 1;
}

size_t params_ints(const struct record *r, const char *program, const char *key, int64_t *v, size_t most) {
    struct span val;
    struct mp_item it;
    const unsigned char *p, *end;

    if (!params_get(r, program, key, &val) || mp_item(val.p, val.n, &it) != 1 || it.kind != MP_ARRAY || it.n > most)
        return 0;
    p = val.p + it.head;
    end = val.p + val.n;
    for (uint64_t i = 0; i < it.n; i++)
        if (!integer(next(&p, end), &v[i]))
            return 0;
    return (size_t)it.n;
}
