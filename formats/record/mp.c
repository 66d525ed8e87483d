#include "formats/record/mp.h"

#include <assert.h>
#include <msgpack.h>
#include <string.h>

_Static_assert(sizeof(size_t) >= 8, "offsets are computed without fear of overflow");

static uint64_t be(const unsigned char *p, size_t n) {
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

static double be_float(const unsigned char *p, size_t n) {
    uint64_t u = be(p, n);
    uint32_t w = (uint32_t)u;
    float f;
    double d;

    if (n == 4) {
        memcpy(&f, &w, 4);
        return (double)f;
    }
    memcpy(&d, &u, 8);
    return d;
}

/* Gives for each first byte c0 to df the item's kind, the length of its head, and the number of bytes in the head
 * (width) that hold the payload's length, or the value of a number. */
static const struct {
    unsigned char kind, head, width;
} wide[32] = {
    {MP_NIL, 1, 0},   {0, 0, 0},        {MP_BOOL, 1, 0},  {MP_BOOL, 1, 0},
    {MP_BIN, 2, 1},   {MP_BIN, 3, 2},   {MP_BIN, 5, 4},
    {MP_EXT, 3, 1},   {MP_EXT, 4, 2},   {MP_EXT, 6, 4},
    {MP_FLOAT, 5, 4}, {MP_FLOAT, 9, 8},
    {MP_UINT, 2, 1},  {MP_UINT, 3, 2},  {MP_UINT, 5, 4},  {MP_UINT, 9, 8},
    {MP_INT, 2, 1},   {MP_INT, 3, 2},   {MP_INT, 5, 4},   {MP_INT, 9, 8},
    {MP_EXT, 2, 0},   {MP_EXT, 2, 0},   {MP_EXT, 2, 0},   {MP_EXT, 2, 0},   {MP_EXT, 2, 0},
    {MP_STR, 2, 1},   {MP_STR, 3, 2},   {MP_STR, 5, 4},
    {MP_ARRAY, 3, 2}, {MP_ARRAY, 5, 4}, {MP_MAP, 3, 2},   {MP_MAP, 5, 4},
};

static void small(unsigned c, struct mp_item *it) {
    it->head = 1;
    if (c < 0x80 || c >= 0xe0) {
        it->kind = MP_INT;
        it->i = (signed char)c;
        it->u = c;
    } else if (c < 0x90) {
        it->kind = MP_MAP;
        it->n = c & 15;
    } else if (c < 0xa0) {
        it->kind = MP_ARRAY;
        it->n = c & 15;
    } else {
        it->kind = MP_STR;
        it->n = c & 31;
    }
}

/* Sign-extends v, a value of `width` bytes, to 64 bits. */
static int64_t extend(uint64_t v, unsigned width) {
    unsigned shift = 64 - 8 * width;

    return (int64_t)(v << shift) >> shift;
}

int mp_item(const unsigned char *p, size_t n, struct mp_item *it) {
    unsigned c, k;
    uint64_t v;

    *it = (struct mp_item){0};
    if (!n)
        return 0;
    c = p[0];
    if (c < 0xc0 || c >= 0xe0) {
        small(c, it);
        return 1;
    }
    k = c - 0xc0;
    if (!wide[k].head)
        return -1;
    if (wide[k].head > n)
        return 0;
    it->kind = wide[k].kind;
    it->head = wide[k].head;
    v = be(p + 1, wide[k].width);
    switch (it->kind) {
    case MP_BOOL: it->b = c == 0xc3; break;
    case MP_FLOAT: it->f = be_float(p + 1, wide[k].width); break;
    case MP_INT: it->i = extend(v, wide[k].width); it->u = (uint64_t)it->i; break;
    case MP_UINT:
        it->kind = v > INT64_MAX ? MP_UINT : MP_INT;
        it->i = (int64_t)v;
        it->u = v;
        break;
    case MP_EXT:
        it->n = wide[k].width ? v : (uint64_t)1 << (c - 0xd4);
        it->ext = (signed char)p[it->head - 1];
        break;
    default: it->n = v;
    }
    return 1;
}

void mp_walk_start(struct mp_walk *w, size_t pos, uint64_t count, unsigned max) {
    w->pos = pos;
    w->items = 0;
    w->depth = 1;
    w->max = max;
    w->why = NULL;
    w->left[0] = count;
}

/* Returns whether the float32 or float64 item at p is finite.  A float with an exponent of all ones is not. */
static bool finite(const unsigned char *p) {
    if (p[0] == 0xca)
        return (p[1] & 0x7f) != 0x7f || !(p[2] & 0x80);
    return (p[1] & 0x7f) != 0x7f || (p[2] & 0xf0) != 0xf0;
}

static int bad(struct mp_walk *w, const char *why) {
    w->why = why;
    return -1;
}

/* Begins a container of `count` values.  An empty container ends at once.  Returns 1, or -1 if the container is nested
 * too deeply. */
static int open_in(struct mp_walk *w, uint64_t count) {
    if (w->depth > w->max)
        return bad(w, "nested too deeply");
    if (count)
        w->left[w->depth++] = count;
    return 1;
}

/* Moves w->pos past the item there, or past the head only if the item is an array or map.  The item's first byte is c0
 * to df.  Returns 1 on success, 0 if bytes of the head are missing, or -1 if the item is malformed. */
static int pass_wide(struct mp_walk *w, const unsigned char *p, size_t n) {
    unsigned k = p[w->pos] - 0xc0u, head = wide[k].head;
    const unsigned char *at = p + w->pos;
    uint64_t len;

    if (!head)
        return bad(w, "the byte 0xc1, which MessagePack never uses");
    if (head > n - w->pos)
        return 0;
    switch ((enum mp_kind)wide[k].kind) {
    case MP_STR: case MP_BIN: case MP_EXT:
        len = wide[k].width ? be(at + 1, wide[k].width) : (uint64_t)1 << (k - 0x14);
        w->pos += head + (size_t)len;
        return 1;
    case MP_ARRAY: case MP_MAP:
        len = be(at + 1, wide[k].width);
        if (open_in(w, wide[k].kind == MP_MAP ? 2 * len : len) < 0)
            return -1;
        break;
    case MP_FLOAT:
        if (!finite(at))
            return bad(w, "a number that is not finite");
        break;
    default: break;
    }
    w->pos += head;
    return 1;
}

int mp_walk(struct mp_walk *w, const unsigned char *p, size_t n) {
    while (w->depth) {
        unsigned level = w->depth - 1, c;
        int rc;

        if (!w->left[level]) {
            w->depth--;
            continue;
        }
        if (w->pos >= n)
            return 0;
        c = p[w->pos];
        if (c >= 0xc0 && c < 0xe0) {
            if ((rc = pass_wide(w, p, n)) <= 0)
                return rc;
        } else {
            if (c >= 0x80 && c < 0xa0 && open_in(w, c < 0x90 ? 2 * (c & 15) : c & 15) < 0)
                return -1;
            w->pos += c >= 0xa0 && c < 0xc0 ? 1 + (c & 31) : 1;
        }
        w->left[level]--;
        w->items++;
    }
    return w->pos <= n;
}

static unsigned char smallest_int(const struct mp_item *it) {
    uint64_t n = 0 - (uint64_t)it->i;    /* the absolute value of a negative i; w bits hold values down to -2^(w-1) */

    if (it->kind == MP_UINT || it->i >= 0)
        return (unsigned char)(it->u < 0x80 ? it->u : it->u <= UINT8_MAX ? 0xcc : it->u <= UINT16_MAX ? 0xcd :
                               it->u <= UINT32_MAX ? 0xce : 0xcf);
    return (unsigned char)(n <= 0x20 ? it->u : n <= 0x80 ? 0xd0 : n <= 0x8000 ? 0xd1 : n <= 0x80000000 ? 0xd2 : 0xd3);
}

unsigned char mp_smallest(const struct mp_item *it) {
    uint64_t n = it->n;

    switch (it->kind) {
    case MP_NIL: return 0xc0;
    case MP_BOOL: return it->b ? 0xc3 : 0xc2;
    case MP_INT: case MP_UINT: return smallest_int(it);
    case MP_FLOAT: return 0xcb;
    case MP_STR: return (unsigned char)(n < 32 ? 0xa0 | n : n <= UINT8_MAX ? 0xd9 : n <= UINT16_MAX ? 0xda : 0xdb);
    case MP_BIN: return n <= UINT8_MAX ? 0xc4 : n <= UINT16_MAX ? 0xc5 : 0xc6;
    case MP_EXT:
        if (n && n <= 16 && !(n & (n - 1)))
            return (unsigned char)(n == 1 ? 0xd4 : n == 2 ? 0xd5 : n == 4 ? 0xd6 : n == 8 ? 0xd7 : 0xd8);
        return n <= UINT8_MAX ? 0xc7 : n <= UINT16_MAX ? 0xc8 : 0xc9;
    case MP_ARRAY: return (unsigned char)(n < 16 ? 0x90 | n : n <= UINT16_MAX ? 0xdc : 0xdd);
    case MP_MAP: return (unsigned char)(n < 16 ? 0x80 | n : n <= UINT16_MAX ? 0xde : 0xdf);
    }
    return 0xc1;
}

static const char *const form_name[32] = {
    "nil",     "",        "false",   "true",    "bin8",    "bin16",    "bin32", "ext8",
    "ext16",   "ext32",   "float32", "float64", "uint8",   "uint16",   "uint32", "uint64",
    "int8",    "int16",   "int32",   "int64",   "fixext1", "fixext2",  "fixext4", "fixext8",
    "fixext16", "str8",   "str16",   "str32",   "array16", "array32",  "map16",  "map32",
};

const char *mp_form_name(unsigned char first) {
    if (first >= 0xc0 && first < 0xe0)
        return form_name[first - 0xc0];
    return first < 0x80 ? "fixint" : first >= 0xe0 ? "negative fixint" : first < 0x90 ? "fixmap" :
           first < 0xa0 ? "fixarray" : "fixstr";
}

int mp_form(const char *name) {
    for (int i = 0; i < 32; i++)
        if (*name && !strcmp(name, form_name[i]))
            return 0xc0 + i;
    return -1;
}

size_t mp_size(const unsigned char *p, size_t n) {
    struct mp_walk w;

    mp_walk_start(&w, 0, 1, MP_DEPTH);
    return mp_walk(&w, p, n) == 1 ? w.pos : 0;
}

/* ---- writing ---- */

static int put(void *to, const char *s, size_t n) {
    struct mp *m = to;
    size_t cap;
    unsigned char *p;

    if (m->full)
        return -1;
    if (n > m->cap - m->n) {
        cap = m->cap + m->cap / 2 > m->n + n ? m->cap + m->cap / 2 : m->n + n + 128;
        if (!m->p || arena_grow(m->a, m->p, m->cap, cap) < 0) {
            if (!(p = arena_take(m->a, cap, 1))) {
                m->full = true;
                return -1;
            }
            if (m->n)
                memcpy(p, m->p, m->n);
            m->p = p;
        }
        m->cap = cap;
    }
    if (n)
        memcpy(m->p + m->n, s, n);
    m->n += n;
    return 0;
}

#define PACKER(m) (&(msgpack_packer){(m), put})

/* Returns whether the length n can be written, in at most 32 bits, and sets m->full if not. */
static bool fits(struct mp *m, size_t n) {
    m->full |= n > UINT32_MAX;
    return !m->full;
}

void mp_open(struct mp *m, struct arena *a) {
    *m = (struct mp){.a = a};
}

void mp_map(struct mp *m, size_t n) {
    if (fits(m, n))
        msgpack_pack_map(PACKER(m), n);
}

size_t mp_map_begin(struct mp *m) {
    size_t begin = m->n;

    mp_map(m, 0);    /* reserves one byte for the head, which is enough for most maps */
    return begin;
}

void mp_map_end(struct mp *m, size_t begin) {
    size_t body = begin + 1, end = m->n, values = 0, head;
    unsigned char bytes[5];

    if (m->full)
        return;
    for (size_t pos = body, size; pos < end; pos += size, values++) {
        size = mp_size(m->p + pos, end - pos);
        if (!size) {
            m->full = true;
            return;
        }
    }
    assert(values % 2 == 0);
    mp_map(m, values / 2);    /* the head is written at the end and then moved to its place */
    if (m->full)
        return;
    head = m->n - end;
    memcpy(bytes, m->p + end, head);
    memmove(m->p + begin + head, m->p + body, end - body);
    memcpy(m->p + begin, bytes, head);
    m->n = end - 1 + head;
}

void mp_array(struct mp *m, size_t n) {
    if (fits(m, n))
        msgpack_pack_array(PACKER(m), n);
}

void mp_str(struct mp *m, const void *s, size_t n) {
    if (!fits(m, n))
        return;
    msgpack_pack_str(PACKER(m), n);
    put(m, s, n);
}

void mp_bin(struct mp *m, const void *s, size_t n) {
    if (!fits(m, n))
        return;
    msgpack_pack_bin(PACKER(m), n);
    put(m, s, n);
}

void mp_ext(struct mp *m, signed char type, const void *s, size_t n) {
    if (!fits(m, n))
        return;
    msgpack_pack_ext(PACKER(m), n, type);
    put(m, s, n);
}

void mp_text(struct mp *m, const void *s, size_t n) {
    if (utf8_valid(s, n))
        mp_str(m, s, n);
    else
        mp_bin(m, s, n);
}

void mp_cstr(struct mp *m, const char *s) {
    mp_text(m, s, strlen(s));
}

void mp_int(struct mp *m, int64_t v) {
    msgpack_pack_int64(PACKER(m), v);
}

void mp_uint(struct mp *m, uint64_t v) {
    msgpack_pack_uint64(PACKER(m), v);
}

void mp_float(struct mp *m, double v) {
    msgpack_pack_double(PACKER(m), v);
}

void mp_bool(struct mp *m, bool v) {
    put(m, v ? "\xc3" : "\xc2", 1);
}

void mp_nil(struct mp *m) {
    put(m, "\xc0", 1);
}

void mp_raw(struct mp *m, struct span s) {
    put(m, (const char *)s.p, s.n);
}

static const char *const numpy[] = {
    [DT_F32] = "<f4", [DT_F16] = "<f2", [DT_BF16] = NULL,  [DT_F64] = "<f8", [DT_I64] = "<i8",
    [DT_I32] = "<i4", [DT_I16] = "<i2", [DT_I8] = "|i1",   [DT_U8] = "|u1",  [DT_BOOL] = "|b1",
};

const char *mp_dtype_name(enum dtype dt) {
    return numpy[dt];
}

int mp_dtype(struct span name, enum dtype *dt) {
    for (int d = 0; d < (int)(sizeof numpy / sizeof *numpy); d++)
        if (numpy[d] && name.n == 3 && !memcmp(numpy[d], name.p, 3)) {
            *dt = (enum dtype)d;
            return 0;
        }
    return -1;
}

void mp_tensor_head(struct mp *m, enum dtype dt, size_t n, int nd, const size_t *shape) {
    const char *type = mp_dtype_name(dt);

    m->full |= !type;
    if (!fits(m, n))
        return;
    mp_map(m, 5);
    mp_bin(m, "nd", 2);
    mp_bool(m, true);
    mp_bin(m, "type", 4);
    mp_cstr(m, type);
    mp_bin(m, "kind", 4);
    mp_bin(m, "", 0);
    mp_bin(m, "shape", 5);
    mp_array(m, (size_t)nd);
    for (int i = 0; i < nd; i++)
        mp_uint(m, shape[i]);
    mp_bin(m, "data", 4);
    msgpack_pack_bin(PACKER(m), n);
}

void mp_tensor(struct mp *m, enum dtype dt, const void *data, int nd, const size_t *shape) {
    size_t n = dtype_size(dt);

    for (int i = 0; i < nd; i++)
        if (__builtin_mul_overflow(n, shape[i], &n))
            m->full = true;
    mp_tensor_head(m, dt, n, nd, shape);
    put(m, data, n);
}

struct span mp_span(const struct mp *m) {
    return span_bytes(m->p, m->n);
}
