#include "lib/draw/axis.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/size.h"

static const double PI = 3.14159265358979323846;

static double triangle(double x) {
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x, double a) {
    return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Returns enough weights for an output of any kind: those of the Lanczos filter and the four of the cubic. */
static size_t most_taps(size_t in, size_t out) {
    double ratio = (double)in / (double)out;

    return size_min(in, (size_t)(4 * (ratio > 1 ? ratio : 1)) + 10);
}

size_t axis_bytes(size_t in, size_t out) {
    /* lo and weight of each output; then a row with a weight for every input, and the Lanczos kernel */
    return round_up(out * sizeof(size_t), ARENA_ALIGN) + round_up(out * most_taps(in, out) * sizeof(float), ARENA_ALIGN) +
           round_up((5 * in + 16) * sizeof(double), ARENA_ALIGN);
}

/* Store output i, whose weights row[lo] to row[hi - 1] are those that are not 0. */
static void put(struct axis *a, size_t i, size_t lo, size_t hi, const double *row) {
    size_t at = size_min(lo, a->in - a->taps);

    a->lo[i] = at;
    for (size_t k = 0; k < a->taps; k++)
        a->weight[i * a->taps + k] = at + k >= lo && at + k < hi ? (float)row[at + k] : 0;
}

static void filter(struct axis *a, enum axis_kind kind, size_t full, size_t first, double *row) {
    double scale = (double)a->in / (double)full, wide = fmax(scale, 1), radius = (kind == AXIS_CUBIC ? 2 : 1) * wide;

    for (size_t i = 0; i < a->out; i++) {
        double centre = ((double)(first + i) + 0.5) * scale, sum = 0;
        size_t lo = (size_t)fmax(centre - radius + 0.5, 0), hi = size_min((size_t)(centre + radius + 0.5), a->in);

        for (size_t k = lo; k < hi; k++) {
            double x = fabs(((double)k - centre + 0.5) / wide);

            row[k] = kind == AXIS_CUBIC ? cubic(x, -0.5) : triangle(x);
            sum += row[k];
        }
        for (size_t k = lo; k < hi; k++)
            row[k] /= sum;
        put(a, i, lo, hi, row);
    }
}

static double sinc(double x) {
    return x == 0 ? 1 : sin(PI * x) / (PI * x);
}

/* Writes the 2 reach + 1 weights of the Lanczos-2 kernel into k, and returns reach. */
static size_t lanczos(double ratio, double *k) {
    size_t reach = (size_t)ceil(2 / ratio + 1) - 2;
    double sum = 0;

    for (size_t i = 0; i <= 2 * reach; i++) {
        double x = fabs((double)i - (double)reach) * ratio;

        k[i] = x < 2 ? sinc(x) * sinc(x / 2) : 0;
        sum += k[i];
    }
    for (size_t i = 0; i <= 2 * reach; i++)
        k[i] /= sum;
    return reach;
}

static size_t reflect(size_t at, size_t before, size_t n) {
    size_t i = at < before ? before - at : at - before;    /* `at` counts from `before` pixels before the first */

    i = n > 1 ? i % (2 * (n - 1)) : 0;
    return i < n ? i : 2 * (n - 1) - i;
}

static void cutout(struct axis *a, double *row, double *kernel) {
    bool shrinks = a->out < a->in;
    size_t reach = 0;

    kernel[0] = 1;
    if (shrinks)
        reach = lanczos((double)a->out / (double)a->in, kernel);
    for (size_t i = 0; i < a->out; i++) {
        double c = a->out > 1 ? (double)i * (double)(a->in - 1) / (double)(a->out - 1) : 0, f = floor(c), t = c - f;
        size_t lo = a->in, hi = 0;

        memset(row, 0, a->in * sizeof *row);
        for (int j = -1; j <= 2; j++) {
            double w = cubic(fabs((double)j - t), -0.75), at = fmin(fmax(f + j, 0), (double)(a->in - 1));

            for (size_t k = 0; k <= 2 * reach; k++) {
                size_t to = reflect((size_t)at + k, reach, a->in);

                row[to] += w * kernel[k];
                lo = size_min(lo, to), hi = size_max(hi, to + 1);
            }
        }
        put(a, i, lo, hi, row);
    }
}

void axis_make(struct axis *a, enum axis_kind kind, size_t in, size_t full, size_t first, size_t out, void *m) {
    char *p = m;
    double *row;

    a->in = in, a->out = out, a->taps = most_taps(in, full);
    a->lo = (size_t *)(void *)p, p += round_up(out * sizeof *a->lo, ARENA_ALIGN);
    a->weight = (float *)(void *)p, p += round_up(out * a->taps * sizeof *a->weight, ARENA_ALIGN);
    row = (double *)(void *)p;
    if (kind == AXIS_CUTOUT)
        cutout(a, row, row + in);
    else
        filter(a, kind, full, first, row);
}

void axis_pair_run(const struct axis *y, const struct axis *x, const float *in, size_t plane, size_t ldx, float *out, float *scratch) {
    for (size_t c = 0; c < 3; c++) {
        for (size_t r = 0; r < y->in; r++) {
            const float *row = in + c * plane + r * ldx;

            for (size_t i = 0; i < x->out; i++) {
                const float *w = x->weight + i * x->taps, *v = row + x->lo[i];
                float sum = 0;

                for (size_t k = 0; k < x->taps; k++)
                    sum += w[k] * v[k];
                scratch[r * x->out + i] = sum;
            }
        }
        for (size_t i = 0; i < y->out; i++, out += x->out) {
            memset(out, 0, x->out * sizeof *out);
            for (size_t k = 0; k < y->taps; k++) {
                const float w = y->weight[i * y->taps + k], *row = scratch + (y->lo[i] + k) * x->out;

                for (size_t j = 0; j < x->out; j++)
                    out[j] += w * row[j];
            }
        }
    }
}

void axis_pair_back(const struct axis *y, const struct axis *x, const float *d_out, float *d_in, size_t plane, size_t ldx,
                    float *scratch) {
    for (size_t c = 0; c < 3; c++) {
        memset(scratch, 0, y->in * x->out * sizeof *scratch);
        for (size_t i = 0; i < y->out; i++, d_out += x->out)
            for (size_t k = 0; k < y->taps; k++) {
                const float w = y->weight[i * y->taps + k];
                float *row = scratch + (y->lo[i] + k) * x->out;

                for (size_t j = 0; j < x->out; j++)
                    row[j] += w * d_out[j];
            }
        for (size_t r = 0; r < y->in; r++) {
            float *row = d_in + c * plane + r * ldx;

            for (size_t i = 0; i < x->out; i++) {
                const float *w = x->weight + i * x->taps, d = scratch[r * x->out + i];
                float *v = row + x->lo[i];

                for (size_t k = 0; k < x->taps; k++)
                    v[k] += w[k] * d;
            }
        }
    }
}
