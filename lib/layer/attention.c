#include "lib/layer/attention.h"

#include <string.h>

#include "lib/base/size.h"
#include "lib/kernel/panel.h"

/* A task is one head of one sequence, or a block of its queries.  The task packs the head's keys and values once, then
 * computes a few rows of queries at a time.  The scores of those rows against all keys stay in the second-level cache
 * between the two products. */
enum { TILE_ROWS = 48, TILE_SCORES = 65536, BLOCK_ROWS = 96, PANEL_MAX = 64 };

/* Returns the table for the products: the bf16 table if the CPU can multiply bf16, else the f32 table.  The softmax
 * between the products is f32 with both tables. */
static const struct kern *kern_of(const struct compute *c) {
    return c->kern->row == DT_BF16 ? c->kern : c->kern->f32;
}

/* The offsets of the parts of one thread's scratch, in floats from its start.  Each part begins on a cache line. */
struct layout {
    size_t rows;                   /* the number of queries that are computed at a time */
    size_t lds, ldo;               /* row strides of scores and of o's tile */
    size_t k, v, scores, o, rest;  /* offsets; rest: the keys of one panel while they are packed */
    size_t q16, p16;               /* queries and attention weights in bf16, if the kernel takes bf16 */
    size_t end;
};

static struct layout make_layout(const struct attention *a, const struct kern *kern, size_t keys) {
    const size_t unit = kern->panel ? kern->panel : 16, step = kern->panel ? kern->rows : 1;
    struct layout l = {.lds = round_up(keys, unit), .ldo = round_up(a->width, unit)};
    size_t rows = l.lds ? TILE_SCORES / l.lds : TILE_ROWS;

    l.rows = rows >= TILE_ROWS ? TILE_ROWS : rows >= step ? rows / step * step : step;
    l.v = l.k + round_up(l.lds * kern_k(kern, a->width), 16);
    l.scores = l.v + round_up(kern_k(kern, keys) * l.ldo, 16);
    l.o = l.scores + (l.rows * l.lds > TILE_SCORES ? l.rows * l.lds : TILE_SCORES);
    l.rest = l.o + TILE_ROWS * l.ldo;
    l.q16 = l.end = l.rest + round_up(unit * a->width, 16);
    if (kern->row == DT_BF16) {
        l.p16 = l.q16 + round_up(TILE_ROWS * kern_k(kern, a->width) / 2, 16);
        l.end = l.p16 + round_up(l.rows * l.lds / 2, 16);
    }
    return l;
}

struct attention_job {
    const struct attention *a;
    const struct attention_seq *seq;
    const struct kern *kern;
    float *scratch;
    size_t stride;                 /* floats of scratch for each thread */
    size_t blocks, block;          /* the number of blocks of queries; the number of queries of a block */
};

/* A head's keys and values in the form that the products take: packed, or rows with a stride. */
struct head {
    size_t n, ldk, ldv;
    const float *k, *v;
    unsigned short *q16, *p16;    /* room for queries and attention weights in bf16, or NULL */
};

/* Returns a pointer to column c, where the head begins, in the row of key j.  j is counted through both runs. */
static const float *key_row(const struct attention_seq *s, size_t j, size_t c) {
    const struct attention_keys *r = s->keys;

    return j < r[0].n ? r[0].k + j * r[0].ld + c : r[1].k + (j - r[0].n) * r[1].ld + c;
}

/* Packs keys [j, j + n) as one panel of columns.  If these keys come from both runs, they are first copied next to each
 * other into `rest`. */
static void pack_keys(const struct attention_job *t, const struct attention_seq *s, size_t j, size_t n,
                      size_t c, float *rest, char *to) {
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

/* Packs `cols` columns, from column c on, of the values [j, j + n) of one run. */
static void pack_values(const struct kern *kern, const struct attention_keys *r, size_t j, size_t n, size_t c,
                        size_t cols, char *to) {
    if (n)
        kern->pack(to, r->v + j * r->ld + c, 1, r->ld, cols, n);
}

/* Packs `cols` columns, from column c on, of the head's values of both runs.  In bf16, where rows are packed in pairs,
 * one pair may hold the last row of the first run and the first row of the second run. */
static void pack_runs(const struct kern *kern, const struct attention_keys r[2], size_t c, size_t cols, char *to) {
    const size_t n0 = r[0].n, odd = r[1].n ? n0 % kern->group : 0;

    pack_values(kern, &r[0], 0, n0 - odd, c, cols, to);
    to += panel_bytes(kern, n0 - odd);
    if (odd) {
        float pair[2][PANEL_MAX];

        memcpy(pair[0], r[0].v + (n0 - 1) * r[0].ld + c, cols * sizeof **pair);
        memcpy(pair[1], r[1].v + c, cols * sizeof **pair);
        kern->pack(to, pair[0], 1, PANEL_MAX, cols, 2);
        to += panel_bytes(kern, 2);
    }
    pack_values(kern, &r[1], odd, r[1].n - odd, c, cols, to);
}

static struct head pack_head(const struct attention_job *t, const struct attention_seq *s, size_t c,
                             const struct layout *l, float *mem) {
    const struct kern *kern = t->kern;
    const size_t d = t->a->width, panel = kern->panel;
    struct head h = {.n = s->keys[0].n + s->keys[1].n, .k = mem + l->k, .v = mem + l->v};
    char *k = (char *)(mem + l->k), *v = (char *)(mem + l->v);

    for (size_t j = 0; j < h.n; j += panel, k += panel_bytes(kern, d))
        pack_keys(t, s, j, size_min(panel, h.n - j), c, mem + l->rest, k);
    for (size_t j = 0; j < d; j += panel, v += panel_bytes(kern, h.n))
        pack_runs(kern, s->keys, c + j, size_min(panel, d - j), v);
    if (kern->row == DT_BF16) {
        h.q16 = (unsigned short *)(void *)(mem + l->q16);
        h.p16 = (unsigned short *)(void *)(mem + l->p16);
    }
    return h;
}

/* Returns the head's keys and values for kernels with gemm.  If there are two runs, they are copied into one run. */
static struct head join_head(const struct attention_job *t, const struct attention_seq *s, size_t c,
                             const struct layout *l, float *mem) {
    const struct attention_keys *r = s->keys;
    const size_t d = t->a->width;
    struct head h = {r[1].n, r[1].ld, r[1].ld, r[1].k + c, r[1].v + c, NULL, NULL};

    if (!r[0].n)
        return h;
    for (size_t run = 0, at = 0; run < 2; at += r[run++].n)
        for (size_t i = 0; i < r[run].n; i++) {
            memcpy(mem + l->k + (at + i) * d, r[run].k + i * r[run].ld + c, d * sizeof *mem);
            memcpy(mem + l->v + (at + i) * d, r[run].v + i * r[run].ld + c, d * sizeof *mem);
        }
    return (struct head){r[0].n + r[1].n, d, d, mem + l->k, mem + l->v, NULL, NULL};
}

/* Sets rows[i] to row i of x in the type that the kernel takes.  If `half` is NULL, rows[i] points into x.  Else the
 * rows are converted to bf16 into `half` and filled up to whole pairs with zeros. */
static void rows_of(const struct kern *kern, size_t m, size_t n, const float *x, size_t ldx, unsigned short *half,
                    size_t ldh, const void *rows[]) {
    for (size_t i = 0; i < m; i++) {
        unsigned short *to = half ? half + i * ldh : NULL;

        rows[i] = x + i * ldx;
        if (!to)
            continue;
        kern->f32_bf16(n, x + i * ldx, to);
        if (n % 2)
            to[n] = 0;
        rows[i] = to;
    }
}

/* Computes c [m, n] as the first k elements of the rows times the panels of a packed matrix.  `all` is the whole length
 * k of the matrix when it was packed. */
static void times_panels(const struct kern *kern, size_t m, size_t n, size_t k, const void *const rows[],
                         const float *packed, size_t all, float *c, size_t ldc) {
    const char *w = (const char *)packed;

    for (size_t j = 0; j < n; j += kern->panel, w += panel_bytes(kern, all))
        panel_times(kern, m, size_min(kern->panel, n - j), rows, kern_k(kern, k), w, c + j, ldc, false, NULL);
}

/* times_keys computes scores [m, n] = q K^T, and times_values computes o [m, d] = scores V, for the first n keys. */
static void times_keys(const struct kern *kern, const struct head *h, size_t m, size_t n, size_t d,
                       const float *q, size_t ldq, float *scores, size_t lds) {
    const void *rows[TILE_ROWS];

    if (!kern->panel) {
        kern->gemm(m, n, d, q, ldq, h->k, h->ldk, 1, scores, lds);
        return;
    }
    rows_of(kern, m, d, q, ldq, h->q16, kern_k(kern, d), rows);
    times_panels(kern, m, n, d, rows, h->k, d, scores, lds);
}

static void times_values(const struct kern *kern, const struct head *h, size_t m, size_t n, size_t d,
                         const float *scores, size_t lds, float *o, size_t ldo) {
    const void *rows[TILE_ROWS];

    if (!kern->panel) {
        kern->gemm(m, d, n, scores, lds, h->v, 1, h->ldv, o, ldo);
        return;
    }
    rows_of(kern, m, n, scores, lds, h->p16, lds, rows);
    times_panels(kern, m, d, n, rows, h->v, h->n, o, ldo);
}

/* Writes the weights of one query of one head, which are x * scale for the first n of `all` keys and 0 for the others,
 * to s->p. */
static void keep_weights(const struct attention_seq *s, size_t all, size_t n, size_t head, size_t query, const float *x,
                         float scale) {
    float *p = s->p + (head * s->nq + query) * all;

    for (size_t j = 0; j < n; j++)
        p[j] = x[j] * scale;
    memset(p + n, 0, (all - n) * sizeof *p);
}

static void attend(void *ctx, size_t i, int thread) {
    const struct attention_job *t = ctx;
    const struct attention *a = t->a;
    const struct kern *kern = t->kern;
    const size_t d = a->width, c = i / t->blocks % a->heads * d;
    const struct attention_seq *s = &t->seq[i / t->blocks / a->heads];
    const size_t lo = i % t->blocks * t->block, hi = size_min(lo + t->block, s->nq);
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

        m = size_min(l.rows, hi - r);
        n = a->causal ? h.n - s->nq + r + m : h.n;    /* keys that at least one of these rows sees */
        times_keys(kern, &h, m, n, d, s->q + r * s->ldq + c, s->ldq, scores, l.lds);
        for (size_t q = 0; q < m; q++) {
            size_t seen = a->causal ? h.n - s->nq + r + q + 1 : n;

            sum[q] = kern->exps(seen, a->scale, scores + q * l.lds);
            memset(scores + q * l.lds + seen, 0, (n - seen) * sizeof *scores);
            if (s->p)
                keep_weights(s, h.n, n, c / d, r + q, scores + q * l.lds, 1 / sum[q]);
        }
        times_values(kern, &h, m, n, d, scores, l.lds, o, l.ldo);
        for (size_t q = 0; q < m; q++)
            kern->scale(d, 1 / sum[q], o + q * l.ldo);
        kern->finish(&out, m, d, o, l.ldo);
    }
}

size_t attention_scratch(const struct attention *a, const struct compute *c, size_t keys) {
    return (size_t)pool_threads(c->pool) * make_layout(a, kern_of(c), keys).end * sizeof(float);
}

void attention_run(const struct attention *a, const struct compute *c, size_t n,
                   const struct attention_seq seq[], void *scratch) {
    const size_t want = 3 * (size_t)pool_threads(c->pool);
    struct attention_job t = {.a = a, .seq = seq, .kern = kern_of(c), .scratch = scratch};
    size_t queries = 1, keys = 0;

    for (size_t i = 0; i < n; i++) {
        queries = size_max(queries, seq[i].nq);
        keys = size_max(keys, seq[i].keys[0].n + seq[i].keys[1].n);
    }
    t.stride = make_layout(a, t.kern, keys).end;
    t.block = queries;
    while (t.block > BLOCK_ROWS && n * a->heads * div_up(queries, t.block) < want)
        t.block = (t.block + 1) / 2;
    t.blocks = div_up(queries, t.block);
    pool_run(c->pool, n * a->heads * t.blocks, attend, &t);
}
