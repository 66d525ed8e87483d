#include "lib/draw/fourier.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/kernel/kern.h"

/* lucid's square root of the covariance of colours in ImageNet, divided by its largest column norm. */
static const double COLOUR[3][3] = {
    {0.26 / 0.4619524, 0.09 / 0.4619524, 0.02 / 0.4619524},
    {0.27 / 0.4619524, 0.00 / 0.4619524, -0.05 / 0.4619524},
    {0.27 / 0.4619524, -0.09 / 0.4619524, 0.03 / 0.4619524},
};

static float *table(size_t n, struct arena *a) {
    float *t = arena_take(a, n, n * sizeof *t);

    for (size_t i = 0; t && i < n * n; i++) {
        double angle = 2 * 3.14159265358979323846 * (double)(i / n * (i % n) % n) / (double)n;

        t[i] = (float)((cos(angle) + sin(angle)) / sqrt((double)n));
    }
    return t;
}

/* Returns frequency k of n, in periods per pixel. */
static double frequency(size_t k, size_t n) {
    return (double)size_min(k, n - k) / (double)n;
}

int fourier_open(struct fourier *f, size_t h, size_t w, const struct compute *k, struct arena *a, struct err *e) {
    *f = (struct fourier){.h = h, .w = w, .k = k};
    f->th = table(h, a), f->tw = table(w, a);
    f->scale = arena_take(a, h * w, sizeof *f->scale);
    f->scratch = arena_take(a, 3 * h * w, sizeof *f->scratch);
    f->mixed = arena_take(a, 3 * h * w, sizeof *f->mixed);
    if (!f->th || !f->tw || !f->scale || !f->scratch || !f->mixed)
        return err_set(e, "no memory for %zu x %zu frequencies", w, h);
    for (size_t i = 0; i < h * w; i++) {
        double fy = frequency(i / w, h), fx = frequency(i % w, w);

        f->scale[i] = (float)(1 / fmax(hypot(fx, fy), 1 / (double)size_max(h, w)) / 4);
    }
    return 0;
}

/* ---- the transform: each task computes one row of the result ---- */

struct pass {
    const struct fourier *f;
    const float *in;
    float *out;
};

/* Computes one row of out = in T_w. */
static void across(void *ctx, size_t row, int thread) {
    const struct pass *p = ctx;
    size_t w = p->f->w;
    float *out = p->out + row * w;

    (void)thread;
    memset(out, 0, w * sizeof *out);
    for (size_t k = 0; k < w; k++)
        p->f->k->kern->axpy(w, p->in[row * w + k], p->f->tw + k * w, out);
}

/* Computes one row of out = T_h in, within its plane. */
static void down(void *ctx, size_t row, int thread) {
    const struct pass *p = ctx;
    size_t w = p->f->w, h = p->f->h, plane = row / h;
    float *out = p->out + row * w;

    (void)thread;
    memset(out, 0, w * sizeof *out);
    for (size_t k = 0; k < h; k++)
        p->f->k->kern->axpy(w, p->f->th[row % h * h + k], p->in + (plane * h + k) * w, out);
}

/* Computes x = T_h x T_w for each plane, in place. */
static void transform(const struct fourier *f, float *x) {
    struct pass a = {f, x, f->scratch}, b = {f, f->scratch, x};

    pool_run(f->k->pool, 3 * f->h, across, &a);
    pool_run(f->k->pool, 3 * f->h, down, &b);
}

static void scale(const struct fourier *f, const float *in, float *out, bool divide) {
    size_t n = f->h * f->w;

    for (size_t i = 0; i < 3 * n; i++)
        out[i] = divide ? in[i] / f->scale[i % n] : in[i] * f->scale[i % n];
}

void fourier_run(const struct fourier *f, const float *amplitude, float *picture) {
    size_t n = f->h * f->w;

    scale(f, amplitude, f->mixed, false);
    transform(f, f->mixed);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++) {
            double v = 0;

            for (size_t k = 0; k < 3; k++)
                v += COLOUR[c][k] * (double)f->mixed[k * n + i];
            picture[c * n + i] = (float)(1 / (1 + exp(-v)));
        }
}

void fourier_back(const struct fourier *f, const float *picture, const float *d_picture, float *d_amplitude) {
    size_t n = f->h * f->w;

    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++) {
            double v = 0;

            for (size_t c = 0; c < 3; c++) {
                double p = (double)picture[c * n + i];

                v += COLOUR[c][k] * (double)d_picture[c * n + i] * p * (1 - p);
            }
            f->mixed[k * n + i] = (float)v;
        }
    transform(f, f->mixed);
    scale(f, f->mixed, d_amplitude, false);
}

void fourier_of(const struct fourier *f, const float *picture, float *amplitude) {
    size_t n = f->h * f->w;
    double m[3][3], det = 0;

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)    /* m is the adjugate of COLOUR */
            m[k][i] = COLOUR[(i + 1) % 3][(k + 1) % 3] * COLOUR[(i + 2) % 3][(k + 2) % 3] -
                      COLOUR[(i + 1) % 3][(k + 2) % 3] * COLOUR[(i + 2) % 3][(k + 1) % 3];
    for (size_t k = 0; k < 3; k++)
        det += COLOUR[0][k] * m[k][0];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) {
            double v = 0;

            for (size_t c = 0; c < 3; c++) {
                double p = fmin(fmax((double)picture[c * n + i], 0.01), 0.99);

                v += m[k][c] / det * log(p / (1 - p));
            }
            f->mixed[k * n + i] = (float)v;
        }
    transform(f, f->mixed);
    scale(f, f->mixed, amplitude, true);
}
