#include "lib/layer/feature_map.h"

#include <math.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/kernel/kern.h"

/* The number of pixels that one task adds up.  It is fixed, so that the order of the additions is fixed. */
enum { STRETCH = 256 };

static size_t stretches(const struct feature_map *p) {
    return div_up(p->y * p->w, STRETCH);
}

size_t feature_map_norm_scratch(const struct feature_map *p) {
    return p->n * stretches(p) * (p->c[0] + p->c[1]) * 2 * sizeof(double);
}

struct sums {
    const struct feature_map *p;
    const struct kern *k;
    const float *before;
    double *part;    /* [N, stretches, 2, C]: sums, then sums of squares */
};

static void sum_stretch(void *ctx, size_t i, int thread) {
    const struct sums *s = ctx;
    const struct feature_map *p = s->p;
    size_t per = stretches(p), n = i / per, from = i % per * STRETCH, all = p->y * p->w;
    size_t pixels = all - from < STRETCH ? all - from : STRETCH, ch = p->c[0] + p->c[1], at = 0;
    double *out = s->part + i * 2 * ch;

    (void)thread;
    for (int k = 0; k < 2 && p->x[k]; at += p->c[k++])
        s->k->moments(pixels, p->c[k], p->x[k] + (n * all + from) * p->c[k], p->c[k],
                      s->before ? s->before + n * ch + at : NULL, out + at, out + ch + at);
}

/* Computes the mean and 1 / standard deviation of group k of one feature map.  part holds the feature map's partial sums,
 * one set for each block of STRETCH pixels. */
static void group_moments(const struct feature_map *p, const struct feature_map_norm *g, const double *part, size_t k, double *mean,
                          double *rstd) {
    size_t ch = p->c[0] + p->c[1], per = stretches(p), size = ch / g->groups;
    double count = (double)(size * p->y * p->w), s = 0, q = 0;

    for (size_t i = 0; i < per; i++)
        for (size_t j = k * size; j < (k + 1) * size; j++) {
            s += part[i * 2 * ch + j];
            q += part[i * 2 * ch + ch + j];
        }
    *mean = s / count;
    q = q / count - *mean * *mean;
    *rstd = 1 / sqrt((q > 0 ? q : 0) + (double)g->eps);
}

/* Computes mul and add of feature map n from the sums of its stretches. */
static void fold(const struct feature_map *p, const struct feature_map_norm *g, const double *part, size_t n,
                 float *mul, float *add) {
    size_t ch = p->c[0] + p->c[1], size = ch / g->groups;

    for (size_t k = 0; k < g->groups; k++) {
        double mean, rstd;

        group_moments(p, g, part, k, &mean, &rstd);
        for (size_t j = k * size; j < (k + 1) * size; j++) {
            double m = rstd * (double)g->g[j], a = (double)g->b[j] - mean * m;
            if (g->before)
                a += (double)g->before[n * ch + j] * m;
            if (g->film) {
                double up = 1 + (double)g->film[n * 2 * ch + j];
                m *= up;
                a = a * up + (double)g->film[n * 2 * ch + ch + j];
            }
            mul[n * ch + j] = (float)m;
            add[n * ch + j] = (float)a;
        }
    }
}

static void sum_all(const struct feature_map *p, const struct feature_map_norm *g, const struct compute *c, double *part) {
    struct sums s = {p, c->kern, g->before, part};

    pool_run(c->pool, p->n * stretches(p), sum_stretch, &s);
}

void feature_map_moments(const struct feature_map *p, const struct feature_map_norm *g, const struct compute *c, double *mean,
                         double *rstd, void *scratch) {
    double *part = scratch;
    size_t one = stretches(p) * 2 * (p->c[0] + p->c[1]);

    sum_all(p, g, c, part);
    for (size_t n = 0; n < p->n; n++)
        for (size_t k = 0; k < g->groups; k++)
            group_moments(p, g, part + n * one, k, mean + n * g->groups + k, rstd + n * g->groups + k);
}

void feature_map_norm(const struct feature_map *p, const struct feature_map_norm *g, const struct compute *c,
                  float *mul, float *add, void *scratch) {
    double *part = scratch;
    size_t one = stretches(p) * 2 * (p->c[0] + p->c[1]);

    sum_all(p, g, c, part);
    for (size_t n = 0; n < p->n; n++)
        fold(p, g, part + n * one, n, mul, add);
}

struct load {
    const struct feature_map *p;
    const float *mul, *add;
    enum act act;
    enum resample r;
    const struct kern *k;
    float *out;
    size_t from, before;    /* first row, counted over all feature maps; rows of zeros above this row in out */
    size_t rows, per;       /* number of rows; number of rows that a task loads */
};

/* Writes m channels of a pixel x, normalised and activated, to out.  g is the index of the first channel in mul and
 * add. */
static void load_channels(const struct load *l, size_t m, const float *x, size_t g, float *out) {
    if (l->mul)
        l->k->affine(m, l->act, x, l->mul + g, l->add + g, out);
    else
        l->k->act(m, l->act, x, out);
}

/* Loads one pixel: the channels of both feature maps at pixel `at`. */
static void load_pixel(const struct load *l, size_t n, size_t at, float *out) {
    const struct feature_map *p = l->p;
    size_t ch = p->c[0] + p->c[1], c0 = p->c[0];

    load_channels(l, c0, p->x[0] + at * c0, n * ch, out);
    if (p->x[1])
        load_channels(l, p->c[1], p->x[1] + at * p->c[1], n * ch + c0, out + c0);
}

/* Loads one output row of a feature map that is not halved.  In an enlarged row each pixel is written twice. */
static void load_row(const struct load *l, size_t n, size_t y, float *row) {
    const struct feature_map *p = l->p;
    size_t ch = p->c[0] + p->c[1], up = l->r == RESAMPLE_UP2 ? 2 : 1;

    for (size_t x = 0; x < p->w; x++) {
        float *o = row + x * up * ch;
        load_pixel(l, n, (n * p->y + y / up) * p->w + x, o);
        if (up == 2)
            memcpy(o + ch, o, ch * sizeof *o);
    }
}

/* Loads one output row of a feature map that is halved: each output pixel is the mean of 2 x 2 pixels. */
static void load_half(const struct load *l, size_t n, size_t y, float *row) {
    const struct feature_map *p = l->p;
    size_t ch = p->c[0] + p->c[1], wide = p->w / 2;
    float tmp[256];

    for (size_t x = 0; x < wide; x++) {
        float *o = row + x * ch;
        memset(o, 0, ch * sizeof *o);
        for (int q = 0; q < 4; q++) {
            size_t at = (n * p->y + 2 * y + (size_t)(q >> 1)) * p->w + 2 * x + (size_t)(q & 1), c0 = 0;
            for (int s = 0; s < 2 && p->x[s]; c0 += p->c[s++])
                for (size_t j = 0; j < p->c[s]; j += 256) {
                    size_t m = p->c[s] - j < 256 ? p->c[s] - j : 256, g = n * ch + c0 + j;

                    load_channels(l, m, p->x[s] + at * p->c[s] + j, g, tmp);
                    l->k->axpy(m, 0.25f, tmp, o + c0 + j);
                }
        }
    }
}

static size_t resampled(size_t n, enum resample r) {
    return r == RESAMPLE_UP2 ? 2 * n : r == RESAMPLE_DOWN2 ? n / 2 : n;
}

/* Loads row i of those rows that `l` asks for. */
static void load_one(const struct load *l, size_t i, size_t row) {
    size_t rows = resampled(l->p->y, l->r), y = (l->from + i) % rows, n = (l->from + i) / rows;
    float *out = l->out + (l->before + i) * row;

    if (l->r == RESAMPLE_DOWN2)
        load_half(l, n, y, out);
    else
        load_row(l, n, y, out);
}

static void load_task(void *ctx, size_t i, int thread) {
    const struct load *l = ctx;
    size_t row = resampled(l->p->w, l->r) * (l->p->c[0] + l->p->c[1]);

    (void)thread;
    for (size_t k = i * l->per; k < (i + 1) * l->per && k < l->rows; k++)
        load_one(l, k, row);
}

/* Handing out a task costs some 100 ns, so a task loads at least TASK floats. */
static void load_rows(struct load *l, const struct compute *c) {
    enum { TASK = 1 << 15 };
    size_t row = resampled(l->p->w, l->r) * (l->p->c[0] + l->p->c[1]);

    l->per = row < TASK ? TASK / row : 1;
    pool_run(c->pool, div_up(l->rows, l->per), load_task, l);
}

void feature_map_apply(const struct feature_map *p, const float *mul, const float *add, enum act act,
                  enum resample r, const struct compute *c, float *out) {
    struct load l = {.p = p, .mul = mul, .add = add, .act = act, .r = r, .k = c->kern, .out = out,
                     .rows = p->n * resampled(p->y, r)};

    load_rows(&l, c);
}

void feature_map_apply_band(const struct feature_map *p, const float *mul, const float *add, enum act act, enum resample r,
                       const struct compute *c, size_t n, size_t from, size_t to, size_t halo, float *out) {
    size_t rows = resampled(p->y, r), row = resampled(p->w, r) * (p->c[0] + p->c[1]) * sizeof *out;
    size_t above = from < halo ? halo - from : 0, below = to + halo > rows ? to + halo - rows : 0;
    size_t all = to - from + 2 * halo, in = all - above - below;
    struct load l = {.p = p, .mul = mul, .add = add, .act = act, .r = r, .k = c->kern, .out = out,
                     .from = n * rows + from + above - halo, .before = above, .rows = in};
    char *bytes = (char *)out;

    memset(bytes, 0, above * row);
    memset(bytes + (above + in) * row, 0, below * row);
    load_rows(&l, c);
}

/* ---- enlarging ---- */

static double cubic(double x) {
    x = fabs(x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2)
        return ((-0.5 * x + 2.5) * x - 4) * x + 2;
    return 0;
}

struct taps {
    size_t lo;
    int n;
    float w[5];
};

/* Computes the taps and weights of output pixel i.  In an enlargement the filter covers two input pixels on either
 * side. */
static void cubic_taps(size_t in, size_t out, size_t i, struct taps *t) {
    double centre = (double)in / (double)out * ((double)i + 0.5), sum = 0, w[5];
    double lo = floor(centre - 2 + 0.5), hi = floor(centre + 2 + 0.5);

    t->lo = lo > 0 ? (size_t)lo : 0;
    t->n = (int)((hi < (double)in ? (size_t)hi : in) - t->lo);
    for (int k = 0; k < t->n; k++)
        sum += w[k] = cubic((double)t->lo + k - centre + 0.5);
    for (int k = 0; k < t->n; k++)
        t->w[k] = (float)(w[k] / sum);
}

/* Computes the taps and weights of output pixel i: the two input pixels around its centre.  Left of the centre of the
 * first input pixel, this pixel has all the weight. */
static void linear_taps(size_t in, size_t out, size_t i, struct taps *t) {
    float at = (float)in / (float)out * ((float)i + 0.5f) - 0.5f, frac;

    at = at < 0 ? 0 : at;
    t->lo = (size_t)at;
    t->n = t->lo + 1 < in ? 2 : 1;
    frac = at - (float)t->lo;
    t->w[0] = t->n == 2 ? 1 - frac : 1;
    t->w[1] = frac;
}

static int enlarge(void taps_of(size_t, size_t, size_t, struct taps *), const float *in, size_t n, size_t y, size_t x, size_t ch,
                   size_t yo, size_t xo, float *out, struct arena scratch) {
    float *mid = arena_take(&scratch, y * xo * ch, sizeof *mid);
    struct taps t;

    if (!mid)
        return -1;
    for (size_t k = 0; k < n; k++, in += y * x * ch, out += yo * xo * ch) {
        for (size_t i = 0; i < xo; i++) {
            taps_of(x, xo, i, &t);
            for (size_t r = 0; r < y; r++)
                for (size_t c = 0; c < ch; c++) {
                    float v = 0;
                    for (int q = 0; q < t.n; q++)
                        v += t.w[q] * in[(r * x + t.lo + (size_t)q) * ch + c];
                    mid[(r * xo + i) * ch + c] = v;
                }
        }
        for (size_t i = 0; i < yo; i++) {
            taps_of(y, yo, i, &t);
            for (size_t c = 0; c < xo * ch; c++) {
                float v = 0;
                for (int q = 0; q < t.n; q++)
                    v += t.w[q] * mid[(t.lo + (size_t)q) * xo * ch + c];
                out[i * xo * ch + c] = v;
            }
        }
    }
    return 0;
}

int feature_map_bicubic(const float *in, size_t n, size_t y, size_t x, size_t ch, size_t yo, size_t xo,
                    float *out, struct arena scratch) {
    return enlarge(cubic_taps, in, n, y, x, ch, yo, xo, out, scratch);
}

int feature_map_bilinear(const float *in, size_t n, size_t y, size_t x, size_t ch, size_t yo, size_t xo,
                    float *out, struct arena scratch) {
    return enlarge(linear_taps, in, n, y, x, ch, yo, xo, out, scratch);
}

void feature_map_channels_last(const float *in, size_t n, size_t ch, size_t pixels, float *out) {
    for (size_t k = 0; k < n; k++, in += ch * pixels, out += ch * pixels)
        for (size_t c = 0; c < ch; c++)
            for (size_t i = 0; i < pixels; i++)
                out[i * ch + c] = in[c * pixels + i];
}

void feature_map_channels_first(const float *in, size_t n, size_t ch, size_t pixels, float *out) {
    for (size_t k = 0; k < n; k++, in += ch * pixels, out += ch * pixels)
        for (size_t i = 0; i < pixels; i++)
            for (size_t c = 0; c < ch; c++)
                out[c * pixels + i] = in[i * ch + c];
}
