#include "lib/net/vq.h"

#include <math.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/kernel/kern.h"
#include "lib/layer/feature_conv.h"
#include "lib/net/vq_net.h"

/* A feature map in memory. */
struct map {
    float *x;
    size_t c, y, w;
};

/* One forward pass.  Two blocks of memory (places) hold the feature map in turns.  The feature maps between the steps
 * of a block go into the other place, if it is free and they fit. */
struct run {
    const struct vq_net *net;
    const struct compute *k;
    size_t n;
    float *place[2];
    size_t room;    /* floats of a place */
    int now;        /* the place of the current feature map */
    bool full;      /* set when scratch runs out */
};

static size_t floats(const struct run *r, const struct map *m) {
    return r->n * m->y * m->w * m->c;
}

/* ---- sizes ---- */

/* Returns the feature map after an operation, with the pointer of h. */
static struct map after(const struct vq_op *o, struct map h) {
    if (o->kind == VQ_POOL)
        h.y /= 2, h.w /= 2;
    if (o->kind != VQ_CONVS)
        return h;
    if (o->resample == RESAMPLE_UP2)
        h.y *= 2, h.w *= 2;
    for (size_t i = 0; i < o->steps; i++)
        h = (struct map){h.x, o->step[i].conv.out, h.y / o->step[i].conv.stride, h.w / o->step[i].conv.stride};
    return h;
}

/* Returns the number of elements of the largest feature map of one picture. */
static size_t largest(const struct vq_net *net, size_t y, size_t w) {
    struct map h = {NULL, net->in, y, w};
    size_t most = h.y * h.w * h.c;

    for (size_t i = 0; i < net->n; i++) {
        h = after(&net->op[i], h);
        most = size_max(most, h.y * h.w * h.c);
    }
    return most;
}

/* ---- operations ---- */

static float *take(struct run *r, struct arena *a, size_t n) {
    float *p = r->full ? NULL : arena_take(a, n, sizeof *p);

    r->full |= !p;
    return p;
}

/* Computes dst: the step applied to h, plus residual unless residual is NULL. */
static void step(struct run *r, const struct vq_step *s, const struct map *h, enum resample resample, float *dst,
                 const float *residual, struct arena a) {
    const struct feature_map p = {{h->x, NULL}, {h->c, 0}, r->n, h->y, h->w};
    const struct feature_map_norm g = {.g = s->norm.g, .b = s->norm.b, .groups = VQ_GROUPS, .eps = r->net->eps};
    struct feature_source from = feature_source(&p, s->act, resample);

    r->full = r->full || (g.g && feature_source_norm(&from, &g, r->k, &a) < 0) ||
              feature_conv(&s->conv, &from, r->net->band, r->k, dst, residual, a) < 0;
}

/* Makes `out` hold what is added to the result of a block, and returns `out`, or NULL if nothing is added. */
static const float *shortcut(struct run *r, const struct vq_op *o, const struct map *h, float *out, struct arena a) {
    const struct feature_map p = {{h->x, NULL}, {h->c, 0}, r->n, h->y, h->w};
    const struct vq_step skip = {.conv = o->skip};

    if (!o->residual)
        return NULL;
    if (o->has_skip)
        step(r, &skip, h, o->resample, out, NULL, a);
    else if (o->resample != RESAMPLE_NONE)
        feature_map_apply(&p, NULL, NULL, ACT_NONE, o->resample, r->k, out);
    return out;
}

static struct map convs(struct run *r, const struct vq_op *o, struct map h, struct arena a) {
    const bool in_place = o->residual && !o->has_skip && o->resample == RESAMPLE_NONE;
    struct map out = after(o, h), from = h;
    float *spare = r->place[!r->now];
    size_t left = in_place ? r->room : 0;
    const float *residual;

    out.x = in_place ? h.x : spare;
    residual = shortcut(r, o, &h, out.x, a);
    for (size_t i = 0; i < o->steps; i++) {
        const bool last = i + 1 == o->steps;
        struct map to = {out.x, o->step[i].conv.out, out.y, out.w};
        size_t n = floats(r, &to);

        if (!last && n <= left)
            to.x = spare, spare += n, left -= n;
        else if (!last)
            to.x = take(r, &a, n);
        step(r, &o->step[i], &from, i ? RESAMPLE_NONE : o->resample, to.x, last ? residual : NULL, a);
        from = to;
    }
    r->now ^= !in_place;
    return out;
}

struct pool_job {
    const struct map *in, *out;
};

/* Computes one row of the pooled feature maps. */
static void pool_row(void *ctx, size_t i, int thread) {
    const struct pool_job *j = ctx;
    const size_t c = j->in->c, row = j->in->w * c;
    const float *x = j->in->x + 2 * i * row;
    float *o = j->out->x + i * j->out->w * c;

    (void)thread;
    for (size_t p = 0; p < j->out->w; p++, x += 2 * c, o += c)
        for (size_t q = 0; q < c; q++)
            o[q] = fmaxf(fmaxf(x[q], x[c + q]), fmaxf(x[row + q], x[row + c + q]));
}

static struct map operation(struct run *r, const struct vq_op *o, struct map h, struct arena a) {
    struct map out = after(o, h);
    struct pool_job j = {&h, &out};

    if (o->kind == VQ_CONVS)
        return convs(r, o, h, a);
    if (o->kind == VQ_ATTENTION) {
        r->full = r->full || pixel_attention_run(&o->attention, r->k, r->n, h.y, h.w, h.x, NULL, a) < 0;
        return h;
    }
    out.x = r->place[!r->now];
    pool_run(r->k->pool, r->n * out.y, pool_row, &j);
    r->now ^= 1;
    return out;
}

/* Apply all operations to the feature map that start() returned and its caller filled. */
static struct map run(struct run *r, struct map h, struct arena a) {
    for (size_t i = 0; i < r->net->n && !r->full; i++)
        h = operation(r, &r->net->op[i], h, a);
    return h;
}

/* Take memory for the two places.  Returns the first feature map, which the caller fills. */
static struct map start(struct run *r, size_t y, size_t w, struct arena *a) {
    struct map h = {NULL, r->net->in, y, w};

    r->room = r->n * largest(r->net, y, w);
    r->place[0] = h.x = take(r, a, r->room);
    r->place[1] = take(r, a, r->room);
    return h;
}

/* ---- encoder ---- */

enum { SCORES = 1 << 21 };    /* the most scores that are computed at once */

struct choose {
    const float *scores;
    size_t codes;
    int *token;
};

/* The token of a row is the index of its largest score; of equal scores the first counts. */
static void choose_row(void *ctx, size_t i, int thread) {
    const struct choose *c = ctx;
    const float *s = c->scores + i * c->codes;
    size_t best = 0;

    (void)thread;
    for (size_t k = 1; k < c->codes; k++)
        if (s[k] > s[best])
            best = k;
    c->token[i] = (int)best;
}

/* Map pixels from [-1, 1] to the network's range, and put channels last. */
static void pixels_in(const struct vq_config *c, size_t n, size_t pixels, const float *in, float *out) {
    static const float mul[] = {1, 0.5f, 0.4f}, add[] = {0, 0.5f, 0.5f};

    feature_map_channels_last(in, n, 3, pixels, out);
    for (size_t i = 0; c->pixels != VQ_SIGNED && i < n * pixels * 3; i++)
        out[i] = out[i] * mul[c->pixels] + add[c->pixels];
}

static int encode(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
                  int *tokens, float *scores, struct arena a, struct err *e) {
    struct run r = {.net = &v->net, .k = k, .n = n};
    const size_t f = v->c.factor, codes = v->c.codes;
    size_t rows, m;
    struct map h;
    float *part;
    void *work;

    if (!y || !x || y % f || x % f)
        return err_set(e, "the sides of a %zux%zu picture must be multiples of %zu", x, y, f);
    h = start(&r, y, x, &a);
    if (!r.full) {
        pixels_in(&v->c, n, y * x, pictures, h.x);
        h = run(&r, h, a);
    }
    rows = n * h.y * h.w;
    m = size_min(rows, size_max(1, SCORES / codes));
    part = take(&r, &a, scores ? 0 : m * codes);
    work = r.full ? NULL : arena_take(&a, linear_scratch(&v->scores, k, m), 1);
    if (!work)
        return err_set(e, "out of memory");
    if (v->act != ACT_NONE)
        k->kern->act(rows * h.c, v->act, h.x, h.x);
    for (size_t i = 0; i < rows; i += m) {
        const size_t some = size_min(m, rows - i);
        struct choose c = {scores ? scores + i * codes : part, codes, tokens ? tokens + i : NULL};
        linear_run(&v->scores, k, some, h.x + i * h.c, h.c, scores ? scores + i * codes : part, codes, ACT_NONE, NULL, work);
        if (tokens)
            pool_run(k->pool, some, choose_row, &c);
    }
    return 0;
}

int vq_encode(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
              int *tokens, struct arena scratch, struct err *e) {
    return encode(v, k, n, y, x, pictures, tokens, NULL, scratch, e);
}

int vq_encode_raw(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
                  float *scores, struct arena scratch, struct err *e) {
    return encode(v, k, n, y, x, pictures, NULL, scores, scratch, e);
}

/* ---- decoder ---- */

static int decode(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
                  struct run *r, struct map *out, struct arena *a, struct err *e) {
    const size_t wide = v->net.in;
    struct map m;

    *r = (struct run){.net = &v->net, .k = k, .n = n};
    m = start(r, h, w, a);
    for (size_t i = 0; !r->full && i < n * h * w; i++) {
        float *o = m.x + i * wide;
        memcpy(o, v->row + (size_t)tokens[i] * wide, wide * sizeof *o);
        for (size_t j = 0; v->bias && j < wide; j++)
            o[j] += v->bias[j];
    }
    *out = run(r, m, *a);
    return r->full ? err_set(e, "out of memory") : 0;
}

/* Map one number of the network's result to a pixel in [-1, 1]. */
static float pixel(enum vq_pixels p, float y) {
    double v = (double)y;

    if (p == VQ_LAPLACE)
        v = 2 * ((1 / (1 + exp(-v)) - 0.1) / 0.8) - 1;
    if (p == VQ_UNIT)
        v = 2 * v - 1;
    return (float)(v < -1 ? -1 : v > 1 ? 1 : v);
}

/* The inverse Haar transform of one pixel's 12 channels, which are the low bands of three colours and then three high
 * bands of each colour.  Returns pixel (s, t) of the 2x2 pixels that they become. */
static float wavelet(const float *f, size_t colour, size_t s, size_t t) {
    const float *band = f + 3 + 3 * colour;
    float v = f[colour] + (s ? -band[0] : band[0]) + (t ? -band[1] : band[1]) + (s ^ t ? -band[2] : band[2]);

    return 0.5f * v;
}

int vq_decode(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
              float *pictures, struct arena a, struct err *e) {
    const size_t up = v->c.wavelet ? 2 : 1;
    struct run r;
    struct map m;
    size_t y, x;

    if (decode(v, k, n, h, w, tokens, &r, &m, &a, e) < 0)
        return -1;
    y = m.y * up, x = m.w * up;
    for (size_t i = 0; i < n * 3 * y * x; i++) {
        const size_t px = i % x, py = i / x % y, colour = i / x / y % 3, pic = i / x / y / 3;
        const float *f = m.x + ((pic * m.y + py / up) * m.w + px / up) * m.c;
        pictures[i] = pixel(v->c.pixels, up == 2 ? wavelet(f, colour, py % 2, px % 2) : f[colour]);
    }
    return 0;
}

int vq_decode_raw(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
                  float *out, struct arena a, struct err *e) {
    struct run r;
    struct map m;

    if (decode(v, k, n, h, w, tokens, &r, &m, &a, e) < 0)
        return -1;
    memcpy(out, m.x, floats(&r, &m) * sizeof *out);
    return 0;
}
