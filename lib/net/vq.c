#include "lib/net/vq.h"

#include <math.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/kernel/kern.h"
#include "lib/layer/feature_conv.h"
#include "lib/net/vq_net.h"

/* One forward pass.  Two blocks of memory (places) hold the feature map in turns.  The feature maps between the steps
 * of a block go into the other place, if it is free and they fit.  With `keep`, each result goes to the memory that
 * `keep` names. */
struct run {
    const struct vq_net *net;
    const struct compute *k;
    size_t n;
    float *place[2];
    size_t room;    /* floats of a place */
    int now;        /* the place of the current feature map */
    const struct vq_keep *keep;    /* NULL if the inputs of the steps are not kept */
    bool full;      /* set when scratch runs out */
};

static size_t floats(const struct run *r, const struct vq_map *m) {
    return r->n * m->y * m->w * m->c;
}

/* ---- sizes ---- */

struct vq_map vq_after(const struct vq_op *o, struct vq_map h) {
    if (o->kind == VQ_POOL)
        h.y /= 2, h.w /= 2;
    if (o->kind != VQ_CONVS)
        return h;
    if (o->resample == RESAMPLE_UP2)
        h.y *= 2, h.w *= 2;
    for (size_t i = 0; i < o->steps; i++)
        h = (struct vq_map){h.x, o->step[i].conv.out, h.y / o->step[i].conv.stride, h.w / o->step[i].conv.stride};
    return h;
}

/* Returns the number of elements of the largest feature map of one picture. */
static size_t largest(const struct vq_net *net, size_t y, size_t w) {
    struct vq_map h = {NULL, net->in, y, w};
    size_t most = h.y * h.w * h.c;

    for (size_t i = 0; i < net->n; i++) {
        h = vq_after(&net->op[i], h);
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
static void step(struct run *r, const struct vq_step *s, const struct vq_map *h, enum resample resample, float *dst,
                 const float *residual, struct arena a) {
    const struct feature_map p = {{h->x, NULL}, {h->c, 0}, r->n, h->y, h->w};
    const struct feature_map_norm g = {.g = s->norm.g, .b = s->norm.b, .groups = r->net->groups, .eps = r->net->eps};
    struct feature_source from = feature_source(&p, s->act, resample);

    r->full = r->full || (g.g && feature_source_norm(&from, &g, r->k, &a) < 0) ||
              feature_conv(&s->conv, &from, r->net->band, r->k, dst, residual, a) < 0;
}

/* Makes `out` hold what is added to the result of a block, and returns `out`, or NULL if nothing is added. */
static const float *shortcut(struct run *r, const struct vq_op *o, const struct vq_map *h, float *out, struct arena a) {
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

/* Returns where the input of step s of operation i is kept, or NULL.  The input of step 0 is the result of operation
 * i - 1. */
static float *kept(const struct run *r, size_t i, size_t s) {
    return r->keep ? r->keep->in[i][s] : NULL;
}

static struct vq_map convs(struct run *r, size_t i, struct vq_map h, struct arena a) {
    const struct vq_op *o = &r->net->op[i];
    const bool plain = o->residual && !o->has_skip && o->resample == RESAMPLE_NONE, in_place = plain && !r->keep;
    struct vq_map out = vq_after(o, h), from = h;
    float *spare = r->place[!r->now];
    size_t left = in_place ? r->room : 0;
    const float *residual;

    out.x = r->keep ? kept(r, i + 1, 0) : in_place ? h.x : spare;
    residual = plain ? h.x : shortcut(r, o, &h, out.x, a);
    for (size_t s = 0; s < o->steps; s++) {
        const bool last = s + 1 == o->steps;
        struct vq_map to = {out.x, o->step[s].conv.out, out.y, out.w};
        size_t n = floats(r, &to);

        if (!last && kept(r, i, s + 1))
            to.x = kept(r, i, s + 1);
        else if (!last && n <= left)
            to.x = spare, spare += n, left -= n;
        else if (!last)
            to.x = take(r, &a, n);
        step(r, &o->step[s], &from, s ? RESAMPLE_NONE : o->resample, to.x, last ? residual : NULL, a);
        from = to;
    }
    r->now ^= !in_place;
    return out;
}

struct pool_job {
    const struct vq_map *in, *out;
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

static struct vq_map operation(struct run *r, size_t i, struct vq_map h, struct arena a) {
    const struct vq_op *o = &r->net->op[i];
    struct vq_map out = vq_after(o, h);
    struct pool_job j = {&h, &out};

    if (o->kind == VQ_CONVS)
        return convs(r, i, h, a);
    if (o->kind == VQ_ATTENTION) {
        if (r->keep)
            h.x = memcpy(kept(r, i + 1, 0), h.x, floats(r, &h) * sizeof *h.x);
        r->full = r->full || pixel_attention_run(&o->attention, r->k, r->n, h.y, h.w, h.x, NULL, a) < 0;
        return h;
    }
    out.x = r->place[!r->now];
    pool_run(r->k->pool, r->n * out.y, pool_row, &j);
    r->now ^= 1;
    return out;
}

/* Apply all operations to the feature map that start() returned and its caller filled. */
static struct vq_map run(struct run *r, struct vq_map h, struct arena a) {
    for (size_t i = 0; i < r->net->n && !r->full; i++)
        h = operation(r, i, h, a);
    return h;
}

int vq_run_keep(const struct vq_net *net, const struct compute *k, size_t n, struct vq_map h, size_t from, size_t to,
                const struct vq_keep *keep, struct arena a) {
    struct run r = {.net = net, .k = k, .n = n, .keep = keep};

    h.x = keep->in[from][0];
    for (size_t i = from; i < to && !r.full; i++)
        h = operation(&r, i, h, a);
    return r.full ? -1 : 0;
}

int vq_run_steps(const struct vq_net *net, const struct compute *k, size_t n, struct vq_map h, size_t i, float *const in[VQ_STEPS],
                 struct arena a) {
    struct run r = {.net = net, .k = k, .n = n};
    const struct vq_op *o = &net->op[i];
    struct vq_map out = vq_after(o, h);

    h.x = in[0];
    for (size_t s = 0; s + 1 < o->steps; s++) {
        step(&r, &o->step[s], &h, s ? RESAMPLE_NONE : o->resample, in[s + 1], NULL, a);
        h = (struct vq_map){in[s + 1], o->step[s].conv.out, out.y, out.w};
    }
    return r.full ? -1 : 0;
}

/* Take memory for the two places.  Returns the first feature map, which the caller fills. */
static struct vq_map start(struct run *r, size_t y, size_t w, struct arena *a) {
    struct vq_map h = {NULL, r->net->in, y, w};

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

int vq_choose(const struct linear *l, const struct compute *k, size_t rows, const float *h, float *scores, int *tokens, struct arena a) {
    const size_t m = size_min(rows, size_max(1, SCORES / l->n));
    float *part = arena_take(&a, scores ? 0 : m * l->n, sizeof *part);
    void *work = arena_take(&a, linear_scratch(l, k, m), 1);

    if (!part || !work)
        return -1;
    for (size_t i = 0; i < rows; i += m) {
        const size_t some = size_min(m, rows - i);
        struct choose c = {scores ? scores + i * l->n : part, l->n, tokens ? tokens + i : NULL};
        linear_run(l, k, some, h + i * l->k, l->k, scores ? scores + i * l->n : part, l->n, ACT_NONE, NULL, work);
        if (tokens)
            pool_run(k->pool, some, choose_row, &c);
    }
    return 0;
}

static int encode(const struct vq_encoder *v, const struct compute *k, size_t n, size_t y, size_t x, const float *pictures,
                  int *tokens, float *scores, struct arena a, struct err *e) {
    struct run r = {.net = &v->net, .k = k, .n = n};
    const size_t f = v->c.factor;
    struct vq_map h;

    if (!y || !x || y % f || x % f)
        return err_set(e, "the sides of a %zux%zu picture must be multiples of %zu", x, y, f);
    h = start(&r, y, x, &a);
    if (!r.full) {
        pixels_in(&v->c, n, y * x, pictures, h.x);
        h = run(&r, h, a);
    }
    if (!r.full && v->act != ACT_NONE)
        k->kern->act(floats(&r, &h), v->act, h.x, h.x);
    if (r.full || vq_choose(&v->scores, k, n * h.y * h.w, h.x, scores, tokens, a) < 0)
        return err_set(e, "out of memory");
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
                  struct run *r, struct vq_map *out, struct arena *a, struct err *e) {
    const size_t wide = v->net.in;
    struct vq_map m;

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
    struct vq_map m;
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

void vq_pixels_out(const struct vq_config *c, const struct vq_map *h, float *picture) {
    const size_t up = c->wavelet ? 2 : 1, y = h->y * up, x = h->w * up;

    for (size_t i = 0; i < 3 * y * x; i++) {
        const size_t px = i % x, py = i / x % y, colour = i / x / y;
        const float *f = h->x + (py / up * h->w + px / up) * h->c;
        float v = up == 2 ? wavelet(f, colour, py % 2, px % 2) : f[colour];

        picture[i] = c->pixels == VQ_SIGNED ? 0.5f * v + 0.5f : v;
    }
}

void vq_pixels_back(const struct vq_config *c, const struct vq_map *h, const float *d_picture, float *d) {
    const size_t up = c->wavelet ? 2 : 1, y = h->y * up, x = h->w * up;

    memset(d, 0, h->y * h->w * h->c * sizeof *d);
    for (size_t i = 0; i < 3 * y * x; i++) {
        const size_t px = i % x, py = i / x % y, colour = i / x / y, s = py % 2, t = px % 2;
        float *to = d + (py / up * h->w + px / up) * h->c, *band = to + 3 + 3 * colour;
        float v = c->pixels == VQ_SIGNED ? 0.5f * d_picture[i] : d_picture[i];

        if (up == 1) {
            to[colour] = v;
            continue;
        }
        v *= 0.5f;    /* each weight of the inverse Haar transform is +1/2 or -1/2 */
        to[colour] += v;
        band[0] += s ? -v : v, band[1] += t ? -v : v, band[2] += s ^ t ? -v : v;
    }
}

int vq_decode_raw(const struct vq_decoder *v, const struct compute *k, size_t n, size_t h, size_t w, const int *tokens,
                  float *out, struct arena a, struct err *e) {
    struct run r;
    struct vq_map m;

    if (decode(v, k, n, h, w, tokens, &r, &m, &a, e) < 0)
        return -1;
    memcpy(out, m.x, floats(&r, &m) * sizeof *out);
    return 0;
}
