#include "lib/attention.h"

#include <string.h>

#include "lib/panel.h"

/* A task is one head of one sequence, or a block of its queries.  It lays the head's keys and
 * values out once, then goes over its queries a few rows at a time: the scores of those rows
 * against all keys stay in the second-level cache from the first product to the second. */
enum { TILE_ROWS = 48, TILE_SCORES = 65536, BLOCK_ROWS = 96 };

static size_t min(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

/* One thread's scratch, in floats from its start; every part begins on a cache line. */
struct layout {
    size_t rows;                   /* queries at a time */
    size_t lds, ldo;               /* row strides of scores and of o's tile */
    size_t k, v, scores, o, rest;  /* offsets; rest: a panel of keys while it is packed */
    size_t end;
};

static struct layout make_layout(const struct attention *a, const struct kern *kern, size_t keys) {
    const size_t unit = kern->panel ? kern->panel : 16, step = kern->panel ? kern->rows : 1;
    struct layout l = {.lds = up(keys, unit), .ldo = up(a->width, unit)};
    size_t rows = l.lds ? TILE_SCORES / l.lds : TILE_ROWS;

    l.rows = rows >= TILE_ROWS ? TILE_ROWS : rows >= step ? rows / step * step : step;
    l.v = l.k + up(l.lds * a->width, 16);
    l.scores = l.v + up(keys * l.ldo, 16);
    l.o = l.scores + (l.rows * l.lds > TILE_SCORES ? l.rows * l.lds : TILE_SCORES);
    l.rest = l.o + TILE_ROWS * l.ldo;
    l.end = l.rest + up(unit * a->width, 16);
    return l;
}

struct attention_job {
    const struct attention *a;
    const struct attention_seq *seq;
    const struct kern *kern;       /* for f32 */
    float *scratch;
    size_t stride;                 /* floats of scratch for each thread */
    size_t blocks, block;          /* blocks of queries; queries of each */
};

/* A head's keys and values as the products take them: packed, or rows with a stride. */
struct head {
    size_t n, ldk, ldv;
    const float *k, *v;
};

/* Key j of the two runs, head at column c. */
static const float *key_row(const struct attention_seq *s, size_t j, size_t c) {
    const struct attention_keys *r = s->keys;

    return j < r[0].n ? r[0].k + j * r[0].ld + c : r[1].k + (j - r[0].n) * r[1].ld + c;
}

/* Keys [j, j + n), one panel of columns; a panel that the two runs share is copied together. */
static void pack_keys(const struct attention_job *t, const struct attention_seq *s, size_t j, size_t n,
                      size_t c, float *rest, float *to) {
    const size_t d = t->a->width, n0 = s->keys[0].n;
    size_t ld = j < n0 ? s->keys[0].ld : s->keys[1].ld;
    const float *from = key_row(s, j, c);

    if (j < n0 && j + n > n0) {
        for (size_t i = 0; i < n; i++)
            memcpy(rest + i * d, key_row(s, j + i, c), d * sizeof *rest);
        from = rest;
        ld = d;
    }
    t->kern->pack(to, from, ld, 1, n, d);
}

static struct head pack_head(const struct attention_job *t, const struct attention_seq *s, size_t c,
                             const struct layout *l, float *mem) {
    const struct kern *kern = t->kern;
    const size_t d = t->a->width, panel = kern->panel;
    struct head h = {.n = s->keys[0].n + s->keys[1].n, .k = mem + l->k, .v = mem + l->v};

    for (size_t j = 0; j < h.n; j += panel)
        pack_keys(t, s, j, min(panel, h.n - j), c, mem + l->rest, mem + l->k + j * d);
    for (size_t j = 0; j < d; j += panel)
        for (size_t run = 0, at = 0; run < 2; at += s->keys[run++].n)
            if (s->keys[run].n)
                kern->pack(mem + l->v + j * h.n + at * panel, s->keys[run].v + c + j, 1,
                           s->keys[run].ld, min(panel, d - j), s->keys[run].n);
    return h;
}

/* For kernels that take matrices as they are: two runs are copied into one. */
static struct head join_head(const struct attention_job *t, const struct attention_seq *s, size_t c,
                             const struct layout *l, float *mem) {
    const struct attention_keys *r = s->keys;
    const size_t d = t->a->width;
    struct head h = {r[1].n, r[1].ld, r[1].ld, r[1].k + c, r[1].v + c};

    if (!r[0].n)
        return h;
    for (size_t run = 0, at = 0; run < 2; at += r[run++].n)
        for (size_t i = 0; i < r[run].n; i++) {
            memcpy(mem + l->k + (at + i) * d, r[run].k + i * r[run].ld + c, d * sizeof *mem);
            memcpy(mem + l->v + (at + i) * d, r[run].v + i * r[run].ld + c, d * sizeof *mem);
        }
    return (struct head){r[0].n + r[1].n, d, d, mem + l->k, mem + l->v};
}

/* scores [m, n] = q K^T, then o [m, d] = scores V, for the first n keys. */
static void times_keys(const struct kern *kern, const struct head *h, size_t m, size_t n, size_t d,
                       const float *q, size_t ldq, float *scores, size_t lds) {
    const void *rows[TILE_ROWS];

    if (!kern->panel) {
        kern->gemm(m, n, d, q, ldq, h->k, h->ldk, 1, scores, lds);
        return;
    }
    for (size_t i = 0; i < m; i++)
        rows[i] = q + i * ldq;
    for (size_t j = 0; j < n; j += kern->panel)
        panel_times(kern, m, min(kern->panel, n - j), rows, d, (const char *)(h->k + j * d), scores + j,
                    lds, false, NULL);
}

static void times_values(const struct kern *kern, const struct head *h, size_t m, size_t n, size_t d,
                         const float *scores, size_t lds, float *o, size_t ldo) {
    const void *rows[TILE_ROWS];

    if (!kern->panel) {
        kern->gemm(m, d, n, scores, lds, h->v, 1, h->ldv, o, ldo);
        return;
    }
    for (size_t i = 0; i < m; i++)
        rows[i] = scores + i * lds;
    for (size_t j = 0; j < d; j += kern->panel)
        panel_times(kern, m, min(kern->panel, d - j), rows, n, (const char *)(h->v + j * h->n), o + j,
                    ldo, false, NULL);
}

static void attend(void *ctx, size_t i, int thread) {
    const struct attention_job *t = ctx;
    const struct attention *a = t->a;
    const struct kern *kern = t->kern;
    const size_t d = a->width, c = i / t->blocks % a->heads * d;
    const struct attention_seq *s = &t->seq[i / t->blocks / a->heads];
    const size_t lo = i % t->blocks * t->block, hi = min(lo + t->block, s->nq);
    float *mem = t->scratch + (size_t)thread * t->stride;
    struct layout l = make_layout(a, kern, s->keys[0].n + s->keys[1].n);
    struct head h;

    if (lo >= hi)
        return;
    h = kern->panel ? pack_head(t, s, c, &l, mem) : join_head(t, s, c, &l, mem);
    for (size_t r = lo, m; r < hi; r += m) {
        float *scores = mem + l.scores, *o = mem + l.o;
        struct kern_out out = {.y = s->o + r * s->ldo + c, .ldy = s->ldo};
        float sum[TILE_ROWS];
        size_t n;

        m = min(l.rows, hi - r);
        n = a->causal ? h.n - s->nq + r + m : h.n;    /* keys that any of these rows sees */
        times_keys(kern, &h, m, n, d, s->q + r * s->ldq + c, s->ldq, scores, l.lds);
        for (size_t q = 0; q < m; q++) {
            size_t seen = a->causal ? h.n - s->nq + r + q + 1 : n;

            sum[q] = kern->exps(seen, a->scale, scores + q * l.lds);
            memset(scores + q * l.lds + seen, 0, (n - seen) * sizeof *scores);
        }
        times_values(kern, &h, m, n, d, scores, l.lds, o, l.ldo);
        for (size_t q = 0; q < m; q++)
            kern->scale(d, 1 / sum[q], o + q * l.ldo);
        kern->finish(&out, m, d, o, l.ldo);
    }
}

size_t attention_scratch(const struct attention *a, const struct compute *c, size_t queries, size_t keys) {
    (void)queries;
    return (size_t)pool_threads(c->pool) * make_layout(a, c->kern->f32, keys).end * sizeof(float);
}

void attention_run(const struct attention *a, const struct compute *c, size_t n,
                   const struct attention_seq seq[], void *scratch) {
    const size_t want = 3 * (size_t)pool_threads(c->pool);
    struct attention_job t = {.a = a, .seq = seq, .kern = c->kern->f32, .scratch = scratch};
    size_t queries = 1, keys = 0;

    for (size_t i = 0; i < n; i++) {
        if (seq[i].nq > queries)
            queries = seq[i].nq;
        if (seq[i].keys[0].n + seq[i].keys[1].n > keys)
            keys = seq[i].keys[0].n + seq[i].keys[1].n;
    }
    t.stride = make_layout(a, t.kern, keys).end;
    t.block = queries;
    while (t.block > BLOCK_ROWS && n * a->heads * ((queries + t.block - 1) / t.block) < want)
        t.block = (t.block + 1) / 2;
    t.blocks = (queries + t.block - 1) / t.block;
    pool_run(c->pool, n * a->heads * t.blocks, attend, &t);
}
