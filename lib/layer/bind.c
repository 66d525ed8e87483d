#include "lib/layer/bind.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/kernel/packed.h"
#include "lib/kernel/panel.h"

const char *bind_name(struct bind *b, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(b->name, sizeof b->name, fmt, ap);
    va_end(ap);
    return b->name;
}

static const struct tensor nothing = {.dtype = DT_F32, .nd = 0};

static void no_room(struct bind *b) {
    if (!b->bad)
        err_set(b->e, "out of memory for weights");
    b->bad = true;
}

void *bind_take(struct bind *b, size_t n, size_t size) {
    void *p = b->bad ? NULL : arena_take(b->keep, n, size);

    if (!p)
        no_room(b);
    return p;
}

/* Returns the next block that an earlier binding noted.  If this block does not have n bytes, sets `bad` and returns
 * NULL. */
static const void *found(struct bind *b, size_t n) {
    const void *p = n && !b->bad ? packed_next(b->ws->packed, n) : NULL;

    if (!p && !b->bad) {
        b->bad = true;
        err_set(b->e, "what was packed before does not fit");
    }
    return p;
}

/* The number of elements that a task checks. */
enum { BLOCK = 1 << 20 };

struct check {
    const struct tensor *t;
    size_t n;
    atomic_bool bad;
};

/* Returns true if elements [lo, hi) of t are finite.  A number whose exponent is all ones is not finite.  Adding one to
 * such an exponent carries into the place of the sign.  Two f32, or four f16 or bf16, are checked at a time. */
static bool finite_bits(const struct tensor *t, size_t lo, size_t hi) {
    const bool wide = t->dtype == DT_F32;
    const uint64_t lanes = wide ? 0x0000000100000001 : 0x0001000100010001;
    const uint64_t top = lanes * (wide ? 0x7f800000 : t->dtype == DT_F16 ? 0x7c00 : 0x7f80);
    const uint64_t one = lanes * (wide ? 0x00800000 : t->dtype == DT_F16 ? 0x0400 : 0x0080);
    const unsigned char *p = (const unsigned char *)t->data + lo * dtype_size(t->dtype);
    const unsigned char *end = p + (hi - lo) * dtype_size(t->dtype);
    uint64_t bad = 0, u = 0;

    for (; end - p >= 8; p += 8) {
        memcpy(&u, p, 8);
        bad |= (u & top) + one;
    }
    u = 0;
    memcpy(&u, p, (size_t)(end - p));
    bad |= (u & top) + one;
    return !(bad & (top + one));
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

        tensor_f32(c->t, lo, lo + n, part);
        for (size_t j = 0; j < n; j++)
            if (!isfinite(part[j]))
                atomic_store(&c->bad, true);
    }
}

void bind_check(struct bind *b, const char *name, const struct tensor *t) {
    struct check c = {.t = t};

    if (b->bad || packed_finding(b->ws->packed))    /* A found block was checked when it was noted. */
        return;
    if (tensor_count(t, &c.n) == 0)
        pool_run(b->c->pool, div_up(c.n, BLOCK), check_block, &c);
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

    bind_check(b, name, &t);
    return t;
}

struct tensor bind_vector(struct bind *b, const char *name, size_t n) {
    struct tensor t = nothing;

    if (!b->bad && weights_take(b->ws, name, &t, b->e, 1, n) < 0)
        b->bad = true;
    bind_check(b, name, &t);
    return t;
}

/* Returns the numbers of a view of any dtype as contiguous f32. */
static const float *floats(struct bind *b, const struct tensor *t) {
    const float *p;
    size_t n;

    if (b->bad || tensor_count(t, &n) < 0 || n > SIZE_MAX / sizeof *p) {
        no_room(b);
        return NULL;
    }
    if (packed_finding(b->ws->packed))
        return found(b, n * sizeof *p);
    p = tensor_all_f32(t, b->keep);
    if (!p)
        no_room(b);
    else
        packed_note(b->ws->packed, p, n * sizeof *p);
    return p;
}

struct tensor bind_filters(struct bind *b, const char *name, size_t co, size_t ci, size_t y,
                           size_t x) {
    struct tensor t = nothing;

    if (!b->bad && weights_take(b->ws, name, &t, b->e, 4, co, ci, y, x) < 0)
        b->bad = true;
    bind_check(b, name, &t);
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
    bind_check(b, name, t);
    return floats(b, t);
}

struct sums {
    const struct tensor *w;
    size_t parts;
    float *to;
};

static void sum_row(void *ctx, size_t i, int thread) {
    const struct sums *s = ctx;
    const size_t n = s->w->shape[0], k = s->w->shape[1], each = k / s->parts;
    float some[256];

    (void)thread;
    for (size_t p = 0; p < s->parts; p++) {
        size_t lo = i * k + p * each, hi = lo + each;
        double sum = 0;

        for (size_t m; lo < hi; lo += m) {
            m = hi - lo < sizeof some / sizeof *some ? hi - lo : sizeof some / sizeof *some;
            tensor_f32(s->w, lo, lo + m, some);
            for (size_t j = 0; j < m; j++)
                sum += (double)some[j];
        }
        s->to[p * n + i] = (float)sum;
    }
}

const float *bind_sums(struct bind *b, const struct tensor *w, size_t parts) {
    struct sums s = {w, parts, NULL};
    size_t n;

    if (b->bad)
        return NULL;
    n = parts * w->shape[0];
    if (packed_finding(b->ws->packed))
        return found(b, n * sizeof *s.to);
    if (!(s.to = bind_take(b, n, sizeof *s.to)))
        return NULL;
    pool_run(b->c->pool, w->shape[0], sum_row, &s);
    packed_note(b->ws->packed, s.to, n * sizeof *s.to);
    return s.to;
}

void bind_parts(struct bind *b, struct linear *l, size_t parts, const struct tensor w[],
                const struct tensor bias[]) {
    const struct kern *kern = b->c->kern;
    struct packed *p = b->ws->packed;

    if (b->bad)
        return;
    if (packed_finding(p)) {
        b->bad = linear_shape(l, parts, w, b->e) < 0;
        l->packed = found(b, packed_bytes(kern, l->n, l->k));
        l->bias = bias ? found(b, l->n * sizeof *l->bias) : NULL;
        return;
    }
    b->bad = linear_pack(l, parts, w, bias, b->c, b->keep, b->e) < 0;
    if (b->bad || !p)
        return;
    packed_note(p, l->packed, packed_bytes(kern, l->n, l->k));
    if (bias)
        packed_note(p, l->bias, l->n * sizeof *l->bias);
}

void bind_conv(struct bind *b, struct conv *k, const struct tensor *w, const float *scale, const float *bias,
               size_t stride, size_t pad) {
    const struct kern *kern = b->c->kern;
    struct packed *p = b->ws->packed;
    size_t count, bytes = 0;

    if (b->bad)
        return;
    if (p && tensor_count(w, &count) == 0 && count)
        bytes = packed_bytes(kern, w->shape[0], count / w->shape[0]);
    if (packed_finding(p)) {
        *k = conv_packed(w, bias, stride, pad, found(b, bytes));
        return;
    }
    b->bad = conv_pack(k, w, scale, bias, stride, pad, b->c, b->keep, b->e) < 0;
    if (!b->bad)
        packed_note(p, k->packed, bytes);
}

/* Writes "name.suffix" into a buffer of the caller, because `name` may be b->name. */
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
