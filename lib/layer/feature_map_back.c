#include "lib/layer/feature_map_back.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/layer/attention_back.h"

/* A stretch is a block of STRETCH consecutive pixels of one feature map, and the work of one task.  Its length does not
 * depend on the number of threads, so the order of the additions is fixed. */
enum { STRETCH = 256 };

struct back {
    const struct feature_map *p;
    const struct kern *k;
    enum act act;
    enum resample r;
    const float *dy, *add;
    float *dx;
    const float *mul, *shift;    /* [N, C]: norm(x) = x * mul + shift; NULL without a norm */
    float *slope, *offset;       /* [N, C]: dx = da * mul + x * slope + offset */
    const float *zeros;          /* [C] */
    float *rows;                 /* [threads, 1 + STRETCH, C]: scratch memory of each thread */
    double *part;                /* [N, stretches, 4, C]: partial sums of da at index 0, of da * x at index 2 */
};

static size_t stretches(const struct feature_map *p) {
    return div_up(p->y * p->w, STRETCH);
}

/* Sets *n to the feature map of task i, and *from to its first pixel.  Returns the number of its pixels. */
static size_t stretch_of(const struct feature_map *p, size_t i, size_t *n, size_t *from) {
    *n = i / stretches(p), *from = i % stretches(p) * STRETCH;
    return size_min(STRETCH, p->y * p->w - *from);
}

/* Returns the gradient with respect to pixel `at` of feature map n before the resampling.  The result is a place in dy or,
 * if pixels were repeated, `sum`. */
static const float *resampled_back(const struct back *b, size_t n, size_t at, float *sum) {
    const struct feature_map *p = b->p;
    const size_t ch = p->c[0], row = 2 * p->w * ch;
    const float *dy = b->dy + (n * p->y * p->w + at) * ch;

    if (b->r == RESAMPLE_NONE)
        return dy;
    dy = b->dy + (n * 2 * p->y + 2 * (at / p->w)) * row + 2 * (at % p->w) * ch;
    memcpy(sum, dy, ch * sizeof *sum);
    b->k->axpy(ch, 1, dy + ch, sum);
    b->k->axpy(ch, 1, dy + row, sum);
    b->k->axpy(ch, 1, dy + row + ch, sum);
    return sum;
}

/* Task i: computes da into dx and, with a norm, the partial sums of da and da * x, for one stretch.  Without a norm, adds
 * `add`. */
static void activation_back(void *ctx, size_t i, int thread) {
    const struct back *b = ctx;
    const size_t ch = b->p->c[0];
    float *u = b->rows + (size_t)thread * (1 + STRETCH) * ch, *product = u + ch, *dx;
    double *sums = b->part + i * 4 * ch;
    size_t n, from, pixels = stretch_of(b->p, i, &n, &from);

    dx = b->dx + (n * b->p->y * b->p->w + from) * ch;
    for (size_t j = 0; j < pixels; j++, dx += ch) {
        const float *x = b->p->x[0] + (n * b->p->y * b->p->w + from + j) * ch;
        const float *dy = resampled_back(b, n, from + j, dx);

        if (b->mul)
            b->k->affine(ch, ACT_NONE, x, b->mul + n * ch, b->shift + n * ch, u);
        if (b->act != ACT_NONE)
            b->k->act_back(ch, b->act, b->mul ? u : x, dy, dx);
        else if (dy != dx)
            memcpy(dx, dy, ch * sizeof *dx);
        if (b->mul)
            b->k->affine(ch, ACT_NONE, x, dx, b->zeros, product + j * ch);
        else if (b->add)
            b->k->axpy(ch, 1, b->add + (n * b->p->y * b->p->w + from + j) * ch, dx);
    }
    if (!b->mul)
        return;
    b->k->moments(pixels, ch, dx - pixels * ch, ch, NULL, sums, sums + ch);
    b->k->moments(pixels, ch, product, ch, NULL, sums + 2 * ch, sums + 3 * ch);
}

/* Computes slope and offset of feature map n from the partial sums of its stretches. */
static void fold_back(const struct back *b, const struct feature_map_norm *g, size_t n, const double *mean,
                      const double *rstd) {
    const size_t ch = b->p->c[0], size = ch / g->groups, per = stretches(b->p);
    const double count = (double)(size * b->p->y * b->p->w);

    for (size_t k = 0; k < g->groups; k++) {
        double a = 0, ax = 0, ah;

        for (size_t j = k * size; j < (k + 1) * size; j++)
            for (size_t i = 0; i < per; i++) {
                const double *sums = b->part + (n * per + i) * 4 * ch;

                a += (double)g->g[j] * sums[j];
                ax += (double)g->g[j] * sums[2 * ch + j];
            }
        ah = (ax - mean[k] * a) * rstd[k] / count;
        for (size_t j = n * ch + k * size; j < n * ch + (k + 1) * size; j++) {
            b->slope[j] = (float)(-rstd[k] * rstd[k] * ah);
            b->offset[j] = (float)(rstd[k] * (mean[k] * rstd[k] * ah - a / count));
        }
    }
}

static void norm_back(void *ctx, size_t i, int thread) {
    const struct back *b = ctx;
    const size_t ch = b->p->c[0];
    float *t = b->rows + (size_t)thread * (1 + STRETCH) * ch;
    size_t n, from, pixels = stretch_of(b->p, i, &n, &from);

    for (size_t j = 0; j < pixels; j++) {
        size_t at = (n * b->p->y * b->p->w + from + j) * ch;

        b->k->affine(ch, ACT_NONE, b->dx + at, b->mul + n * ch, b->offset + n * ch, t);
        b->k->affine(ch, ACT_NONE, b->p->x[0] + at, b->slope + n * ch, t, b->dx + at);
        if (b->add)
            b->k->axpy(ch, 1, b->add + at, b->dx + at);
    }
}

int feature_map_back(const struct feature_map *p, const struct feature_map_norm *g, enum act act, enum resample r,
                     const struct compute *c, const float *dy, const float *add, float *dx, struct arena a) {
    const size_t ch = p->c[0], tasks = p->n * stretches(p), groups = g ? p->n * g->groups : 0;
    struct back b = {.p = p, .k = c->kern, .act = act, .r = r, .dy = dy, .add = add, .dx = dx};
    struct feature_source s = feature_source(p, act, r);
    double *mean = arena_take(&a, groups, sizeof *mean), *rstd = arena_take(&a, groups, sizeof *rstd);
    void *sums = arena_take(&a, g ? feature_map_norm_scratch(p) : 0, 1);

    assert(!p->x[1] && r != RESAMPLE_DOWN2 && (!g || (!g->before && !g->film)));
    b.slope = arena_take(&a, g ? p->n * ch : 0, sizeof *b.slope);
    b.offset = arena_take(&a, g ? p->n * ch : 0, sizeof *b.offset);
    b.zeros = arena_zero(&a, ch, sizeof *b.zeros);
    b.rows = arena_take(&a, (size_t)pool_threads(c->pool) * (1 + STRETCH), ch * sizeof *b.rows);
    b.part = arena_take(&a, g ? tasks * 4 : 0, ch * sizeof *b.part);
    if (!mean || !rstd || !sums || !b.slope || !b.offset || !b.zeros || !b.rows || !b.part ||
        (g && feature_source_norm(&s, g, c, &a) < 0))
        return -1;
    b.mul = s.mul, b.shift = s.add;
    pool_run(c->pool, tasks, activation_back, &b);
    if (!g)
        return 0;
    feature_map_moments(p, g, c, mean, rstd, sums);
    for (size_t n = 0; n < p->n; n++)
        fold_back(&b, g, n, mean + n * g->groups, rstd + n * g->groups);
    pool_run(c->pool, tasks, norm_back, &b);
    return 0;
}

int feature_conv_back(const struct conv *turned, const struct feature_map *p, const struct feature_map_norm *g,
                      enum act act, enum resample r, size_t band, const struct compute *c,
                      const float *dy, const float *add, float *dx, struct arena a) {
    const size_t up = r == RESAMPLE_UP2 ? 2 : 1;
    const struct feature_map out = {{dy, NULL}, {turned->in, 0}, p->n, up * p->y, up * p->w};
    const struct feature_source s = feature_source(&out, ACT_NONE, RESAMPLE_NONE);
    float *d = arena_take(&a, p->n * out.y * out.w, turned->out * sizeof *d);

    if (!d || feature_conv(turned, &s, band, c, d, NULL, a) < 0)
        return -1;
    return feature_map_back(p, g, act, r, c, d, add, dx, a);
}

/* ---- attention ---- */

int pixel_attention_turn(struct pixel_attention_turned *u, const struct pixel_attention *b, const struct compute *c,
                         struct arena *keep, struct err *e) {
    return linear_transpose(&u->qkv, &b->qkv, 1, c, keep, e) < 0 ? -1 : linear_transpose(&u->out, &b->out, 1, c, keep, e);
}

static int linear(const struct linear *l, const struct compute *k, size_t m, const float *x, float *y, size_t ldy,
                  struct arena a) {
    void *s = arena_take(&a, linear_scratch(l, k, m), 1);

    if (s)
        linear_run(l, k, m, x, l->k, y, ldy, ACT_NONE, NULL, s);
    return s ? 0 : -1;
}

int pixel_attention_back(const struct pixel_attention *b, const struct pixel_attention_turned *u, const struct compute *k,
                         size_t n, size_t y, size_t w, const float *x, const float *dy, float *dx, struct arena a) {
    const size_t pixels = y * w, c = b->c, head = c / b->heads;
    const struct attention att = {b->heads, head, (float)(1 / sqrt((double)head)), false};
    const struct feature_map p = {{x, NULL}, {c, 0}, n, y, w};
    const struct feature_map_norm g = {.g = b->norm.g, .b = b->norm.b, .groups = b->groups, .eps = b->eps};
    struct feature_source in = feature_source(&p, ACT_NONE, RESAMPLE_NONE);
    float *tok = arena_take(&a, n * pixels * c, sizeof *tok), *qkv = arena_take(&a, n * pixels * 3 * c, sizeof *qkv);
    float *d = arena_take(&a, n * pixels * 3 * c, sizeof *d);
    struct attention_back_seq *seq = arena_zero(&a, n, sizeof *seq);
    struct arena s;
    void *work;

    if (!tok || !qkv || !d || !seq || feature_source_norm(&in, &g, k, &a) < 0)
        return -1;
    feature_map_apply(&p, in.mul, in.add, ACT_NONE, RESAMPLE_NONE, k, tok);
    if (linear(&b->qkv, k, n * pixels, tok, qkv, 3 * c, a) < 0 || linear(&u->out, k, n * pixels, dy, d, 3 * c, a) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const float *q = qkv + i * pixels * 3 * c;
        float *dq = d + i * pixels * 3 * c;

        seq[i] = (struct attention_back_seq){.q = q, .k = q + c, .v = q + 2 * c, .dout = dq, .dq = dq, .dk = dq + c,
                                             .dv = dq + 2 * c, .nq = pixels, .nk = pixels, .ldq = 3 * c, .ldk = 3 * c};
    }
    s = a;
    work = arena_take(&s, attention_back_scratch(&att, k, pixels), 1);
    if (!work)
        return -1;
    attention_back(&att, k, n, seq, work);
    if (linear(&u->qkv, k, n * pixels, d, tok, c, a) < 0)
        return -1;
    return feature_map_back(&p, &g, ACT_NONE, RESAMPLE_NONE, k, tok, dy, dx, a);
}
