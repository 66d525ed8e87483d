#include "lib/layer/attention_back.h"

#include <string.h>

#include "lib/base/size.h"
#include "lib/kernel/panel.h"

/* A task is one head of one sequence.  The task computes ROWS queries at a time.  The gradients of keys and values are
 * summed in transposed form, [d, keys].  So the large matrices P and dS can be packed as they lie in memory, and only
 * blocks of [rows, d] are transposed. */
enum { ROWS = 48 };

/* The offsets of the parts of one thread's scratch, in floats from its start.  Each part begins on a cache line. */
struct layout {
    size_t lds, ldo;                /* row strides of [.., keys] and of [.., d] */
    size_t k, v, turned, block;     /* packed: keys, values, keys transposed, P or dS */
    size_t p, dp;                   /* [ROWS, lds] */
    size_t q, o;                    /* rows of q and dout, transposed: [d, ROWS] */
    size_t dk, dv;                  /* transposed: [d, lds] */
    size_t dq, sum;                 /* dq [ROWS, ldo]; sum: a product that will be added (kernels with gemm) */
    size_t end;
};

static size_t packed_floats(const struct kern *kern, size_t n, size_t k) {
    return kern->panel ? packed_bytes(kern, n, k) / sizeof(float) : 0;
}

static struct layout make_layout(const struct attention *a, const struct kern *kern, size_t keys) {
    const size_t unit = kern->panel ? kern->panel : 16, d = a->width;
    struct layout l = {.lds = round_up(keys, unit), .ldo = round_up(d, unit)};

    l.v = l.k + round_up(packed_floats(kern, keys, d), 16);
    l.turned = l.v + round_up(packed_floats(kern, keys, d), 16);
    l.block = l.turned + round_up(packed_floats(kern, d, keys), 16);
    l.p = l.block + round_up(packed_floats(kern, keys, ROWS), 16);
    l.dp = l.p + ROWS * l.lds;
    l.q = l.dp + ROWS * l.lds;
    l.o = l.q + d * ROWS;
    l.dk = l.o + d * ROWS;
    l.dv = l.dk + d * l.lds;
    l.dq = l.dv + d * l.lds;
    l.sum = l.dq + ROWS * l.ldo;
    l.end = l.sum + (kern->panel ? 0 : d * l.lds);
    return l;
}

/* The matrix W [n, k] of a product x W^T: element (j, i) is w[j * rs + i * cs]. */
struct operand {
    const struct kern *kern;
    size_t n, k, rs, cs;
    const float *w;
    float *packed;    /* for kernels with panels */
};

static struct operand operand(const struct kern *kern, size_t n, size_t k, const float *w, size_t rs, size_t cs,
                              float *packed) {
    struct operand o = {kern, n, k, rs, cs, w, packed};
    char *to = (char *)packed;

    for (size_t j = 0; kern->panel && j < n; j += kern->panel, to += panel_bytes(kern, k))
        kern->pack(to, w + j * rs, rs, cs, size_min(kern->panel, n - j), k);
    return o;
}

/* Computes c [m, n] = x W^T, or c += x W^T with `add`.  To add, kernels with gemm need scratch for m rows in `sum`. */
static void times(const struct operand *o, size_t m, const float *x, size_t ldx, float *c, size_t ldc, bool add,
                  float *sum) {
    const struct kern *kern = o->kern;

    if (!kern->panel) {
        kern->gemm(m, o->n, o->k, x, ldx, o->w, o->rs, o->cs, add ? sum : c, ldc);
        for (size_t i = 0; add && i < m; i++)
            kern->axpy(o->n, 1, sum + i * ldc, c + i * ldc);
        return;
    }
    for (size_t i0 = 0; i0 < m; i0 += ROWS) {
        const void *rows[ROWS];
        size_t some = size_min(ROWS, m - i0);
        const char *w = (const char *)o->packed;

        for (size_t i = 0; i < some; i++)
            rows[i] = x + (i0 + i) * ldx;
        for (size_t j = 0; j < o->n; j += kern->panel, w += panel_bytes(kern, o->k))
            panel_times(kern, some, size_min(kern->panel, o->n - j), rows, o->k, w, c + i0 * ldc + j, ldc, add, NULL);
    }
}

/* Writes y [n, m] = x^T. */
static void transpose(size_t m, size_t n, const float *x, size_t ldx, float *y, size_t ldy) {
    enum { SIDE = 16 };

    for (size_t i0 = 0; i0 < m; i0 += SIDE)
        for (size_t j = 0; j < n; j++)
            for (size_t i = i0; i < size_min(i0 + SIDE, m); i++)
                y[j * ldy + i] = x[i * ldx + j];
}

struct back_job {
    const struct attention *a;
    const struct attention_back_seq *seq;
    const struct kern *kern;
    float *scratch;
    size_t stride;    /* floats of scratch for each thread */
};

/* Writes the attention weights of rows [r, r + m) to p. */
static void weights_of(const struct back_job *t, const struct attention_back_seq *s, size_t head, size_t r, size_t m,
                       const struct operand *keys, float *p, size_t ldp) {
    if (s->p) {
        for (size_t i = 0; i < m; i++)
            memcpy(p + i * ldp, s->p + ((head * s->nq) + r + i) * s->nk, s->nk * sizeof *p);
        return;
    }
    times(keys, m, s->q + r * s->ldq + head * t->a->width, s->ldq, p, ldp, false, NULL);
    for (size_t i = 0; i < m; i++) {
        float sum = t->kern->exps(s->nk, t->a->scale, p + i * ldp);

        t->kern->scale(s->nk, 1 / sum, p + i * ldp);
    }
}

static void attend_back(void *ctx, size_t i, int thread) {
    const struct back_job *t = ctx;
    const struct kern *kern = t->kern;
    const struct attention_back_seq *s = &t->seq[i / t->a->heads];
    const size_t d = t->a->width, head = i % t->a->heads, c = head * d;
    float *mem = t->scratch + (size_t)thread * t->stride;
    struct layout l = make_layout(t->a, kern, s->nk);
    float *p = mem + l.p, *dp = mem + l.dp, *dq = mem + l.dq;
    struct operand keys = {0}, values, turned;

    if (!s->p)
        keys = operand(kern, s->nk, d, s->k + c, s->ldk, 1, mem + l.k);
    values = operand(kern, s->nk, d, s->v + c, s->ldk, 1, mem + l.v);
    turned = operand(kern, d, s->nk, s->k + c, 1, s->ldk, mem + l.turned);
    for (size_t r = 0, m; r < s->nq; r += m) {
        const float *q = s->q + r * s->ldq + c, *o = s->dout + r * s->ldq + c;
        struct operand block;

        m = size_min(ROWS, s->nq - r);
        weights_of(t, s, head, r, m, &keys, p, l.lds);
        transpose(m, d, q, s->ldq, mem + l.q, ROWS);
        transpose(m, d, o, s->ldq, mem + l.o, ROWS);
        times(&values, m, o, s->ldq, dp, l.lds, false, NULL);
        block = operand(kern, s->nk, m, p, 1, l.lds, mem + l.block);
        times(&block, d, mem + l.o, ROWS, mem + l.dv, l.lds, r > 0, mem + l.sum);
        for (size_t j = 0; j < m; j++)
            kern->softmax_back(s->nk, t->a->scale, p + j * l.lds, dp + j * l.lds, dp + j * l.lds);
        block = operand(kern, s->nk, m, dp, 1, l.lds, mem + l.block);
        times(&block, d, mem + l.q, ROWS, mem + l.dk, l.lds, r > 0, mem + l.sum);
        times(&turned, m, dp, l.lds, dq, l.ldo, false, NULL);
        for (size_t j = 0; j < m; j++)
            memcpy(s->dq + (r + j) * s->ldq + c, dq + j * l.ldo, d * sizeof *dq);
    }
    transpose(d, s->nk, mem + l.dk, l.lds, s->dk + c, s->ldk);
    transpose(d, s->nk, mem + l.dv, l.lds, s->dv + c, s->ldk);
}

size_t attention_back_scratch(const struct attention *a, const struct compute *c, size_t keys) {
    return (size_t)pool_threads(c->pool) * make_layout(a, c->kern->f32, keys).end * sizeof(float);
}

void attention_back(const struct attention *a, const struct compute *c, size_t n,
                    const struct attention_back_seq seq[], void *scratch) {
    struct back_job t = {a, seq, c->kern->f32, scratch, 0};

    for (size_t i = 0; i < n; i++)
        t.stride = size_max(t.stride, make_layout(a, t.kern, seq[i].nk).end);
    pool_run(c->pool, n * a->heads, attend_back, &t);
}
