#include "lib/bind.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char *bind_name(struct bind *b, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(b->name, sizeof b->name, fmt, ap);
    va_end(ap);
    return b->name;
}

static const struct tensor nothing = {.dtype = DT_F32, .nd = 0};

static void no_room(struct bind *b) {
    b->bad = true;
    err_set(b->e, "out of memory for weights");
}

void *bind_take(struct bind *b, size_t n, size_t size) {
    void *p = b->bad ? NULL : arena_take(b->keep, n, size);

    if (!p && !b->bad)
        no_room(b);
    return p;
}

/* Blocks in which the numbers of a tensor are looked at. */
enum { BLOCK = 1 << 20 };

struct check {
    const struct tensor *t;
    size_t n;
    atomic_bool bad;
};

static bool finite_bits(const struct tensor *t, size_t lo, size_t hi) {
    const unsigned char *p = t->data;
    unsigned bad = 0;

    if (t->dtype == DT_F32) {
        for (size_t i = lo; i < hi; i++) {
            uint32_t u;
            memcpy(&u, p + i * 4, 4);
            bad |= (u & 0x7f800000) == 0x7f800000;
        }
    } else {
        unsigned top = t->dtype == DT_F16 ? 0x7c00 : 0x7f80;
        for (size_t i = lo; i < hi; i++) {
            uint16_t u;
            memcpy(&u, p + i * 2, 2);
            bad |= (u & top) == top;
        }
    }
    return !bad;
}

static void check_block(void *ctx, size_t i, int thread) {
    struct check *c = ctx;
    size_t lo = i * BLOCK, hi = c->n - lo < BLOCK ? c->n : lo + BLOCK;
    enum dtype d = c->t->dtype;
    float part[1024];

    (void)thread;
    if (tensor_is_contiguous(c->t) && (d == DT_F32 || d == DT_F16 || d == DT_BF16)) {
        if (!finite_bits(c->t, lo, hi))
            atomic_store(&c->bad, true);
        return;
    }
    for (; lo < hi; lo += sizeof part / sizeof *part) {
        size_t n = hi - lo < sizeof part / sizeof *part ? hi - lo : sizeof part / sizeof *part;
        struct tensor view = {.dtype = DT_F32, .nd = 1, .shape = {n}, .stride = {1}, .data = part};
        tensor_f32(c->t, lo, lo + n, part);
        if (!finite_bits(&view, 0, n))
            atomic_store(&c->bad, true);
    }
}

static void check(struct bind *b, const char *name, const struct tensor *t) {
    struct check c = {.t = t};

    if (b->bad)
        return;
    if (tensor_count(t, &c.n) == 0)
        pool_run(b->c->pool, (c.n + BLOCK - 1) / BLOCK, check_block, &c);
    if (atomic_load(&c.bad)) {
        b->bad = true;
        err_set(b->e, "tensor %.200s holds a number that is not finite", name);
    }
}

struct tensor bind_rows(struct bind *b, const char *name, size_t n, size_t k) {
    struct tensor t = nothing;

    if (!b->bad && weights_take(b->ws, name, &t, b->e, 2, n, k) < 0)
        b->bad = true;
    return t;
}

struct tensor bind_matrix(struct bind *b, const char *name, size_t n, size_t k) {
    struct tensor t = bind_rows(b, name, n, k);

    check(b, name, &t);
    return t;
}

struct tensor bind_vector(struct bind *b, const char *name, size_t n) {
    struct tensor t = nothing;

    if (!b->bad && weights_take(b->ws, name, &t, b->e, 1, n) < 0)
        b->bad = true;
    check(b, name, &t);
    return t;
}

/* A view as contiguous f32, whatever it is. */
static const float *floats(struct bind *b, const struct tensor *t) {
    const float *p = b->bad ? NULL : tensor_all_f32(t, b->keep);

    if (!p && !b->bad)
        no_room(b);
    return p;
}

struct tensor bind_filters(struct bind *b, const char *name, size_t co, size_t ci, size_t y,
                           size_t x) {
    struct tensor t = nothing;

    if (!b->bad && weights_take(b->ws, name, &t, b->e, 4, co, ci, y, x) < 0)
        b->bad = true;
    check(b, name, &t);
    return t;
}

struct tensor bind_filter_rows(struct bind *b, const char *name, size_t co, size_t ci, size_t y,
                               size_t x) {
    struct tensor t = bind_filters(b, name, co, ci, y, x);

    if (b->bad)
        return nothing;
    if (!tensor_is_contiguous(&t)) {
        t.data = floats(b, &t);
        t.dtype = DT_F32;
    }
    t.nd = 2;
    t.shape[1] = ci * y * x;
    tensor_contiguous(&t);
    return t;
}

const float *bind_floats(struct bind *b, const char *name, size_t n) {
    struct tensor t = bind_vector(b, name, n);

    return floats(b, &t);
}

const float *bind_table(struct bind *b, const char *name, size_t n, size_t k) {
    struct tensor t = bind_matrix(b, name, n, k);

    return floats(b, &t);
}

const float *bind_view(struct bind *b, const char *name, const struct tensor *t) {
    check(b, name, t);
    return floats(b, t);
}

void bind_parts(struct bind *b, struct linear *l, size_t parts, const struct tensor w[],
                const struct tensor bias[]) {
    if (!b->bad && linear_pack(l, parts, w, bias, b->c, b->keep, b->e) < 0)
        b->bad = true;
}

/* `name`.suffix, in a buffer of its own: name may be b->name. */
static void suffixed(char out[288], const char *name, const char *suffix) {
    snprintf(out, 288, "%.255s.%s", name, suffix);
}

void bind_linear(struct bind *b, struct linear *l, const char *name, size_t n, size_t k) {
    char full[288];
    struct tensor w, v;

    suffixed(full, name, "weight");
    w = bind_matrix(b, full, n, k);
    suffixed(full, name, "bias");
    v = bind_vector(b, full, n);
    bind_parts(b, l, 1, &w, &v);
}

struct gain bind_gain(struct bind *b, const char *name, size_t n) {
    char full[288];
    struct gain r;

    suffixed(full, name, "weight");
    r.g = bind_floats(b, full, n);
    suffixed(full, name, "bias");
    r.b = bind_floats(b, full, n);
    return r;
}

void bind_refuse_unused(struct bind *b, const char *network) {
    for (size_t i = 0; i < b->ws->n && !b->bad; i++)
        if (!b->ws->w[i].used) {
            b->bad = true;
            err_set(b->e, "tensor %.200s is not part of the %s that its config describes",
                    b->ws->w[i].name, network);
        }
}
