#include "lib/vector/similarity.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16, NEAR = 32 };    /* numbers of partial sums in f64 and in f32 */

static double lanes_sum(const double *a) {
    double s = 0;

    for (int i = 0; i < LANES / 2; i++)
        s += a[i] + a[i + LANES / 2];
    return s;
}

static void block(const double *q, const double *x, size_t n, double *dot, double *sq) {
    for (size_t i = 0; i < n; i++) {
        dot[i] += q[i] * x[i];
        sq[i] += x[i] * x[i];
    }
}

static void c_sums(const double *q, const void *x, size_t d, bool half, double sums[2]) {
    double dot[LANES] = {0}, sq[LANES] = {0}, w[LANES];
    const unsigned char *p = x;
    uint16_t h[LANES];
    float v[LANES];

    for (size_t i = 0; i < d; i += LANES) {
        size_t n = d - i < LANES ? d - i : LANES;

        if (half)
            memcpy(h, p + 2 * i, 2 * n);
        else
            memcpy(v, p + 4 * i, 4 * n);
        for (size_t j = 0; j < n; j++)
            w[j] = (double)(half ? f16_f32(h[j]) : v[j]);
        block(q + i, w, n, dot, sq);
    }
    sums[0] = lanes_sum(dot);
    sums[1] = lanes_sum(sq);
}

static void c_f32(const double *q, const void *x, size_t d, double sums[2]) {
    c_sums(q, x, d, false, sums);
}

static void c_f16(const double *q, const void *x, size_t d, double sums[2]) {
    c_sums(q, x, d, true, sums);
}

static double c_dot(const double *q, const float *x, size_t d) {
    double dot[LANES] = {0};

    for (size_t i = 0; i < d; i++)
        dot[i % LANES] += q[i] * (double)x[i];
    return lanes_sum(dot);
}

static void near_block(const float *q, const float *x, size_t n, float *dot, float *sq) {
    for (size_t i = 0; i < n; i++) {
        dot[i] += q[i] * x[i];
        sq[i] += x[i] * x[i];
    }
}

static void c_near(const float *q, const void *x, size_t d, bool half, float sums[2]) {
    float dot[NEAR] = {0}, sq[NEAR] = {0}, v[NEAR];
    const unsigned char *p = x;
    uint16_t h[NEAR];

    for (size_t i = 0; i < d; i += NEAR) {
        size_t n = d - i < NEAR ? d - i : NEAR;

        if (half)
            memcpy(h, p + 2 * i, 2 * n);
        else
            memcpy(v, p + 4 * i, 4 * n);
        for (size_t j = 0; half && j < n; j++)
            v[j] = f16_f32(h[j]);
        near_block(q + i, v, n, dot, sq);
    }
    for (size_t n = NEAR / 2; n; n /= 2)
        for (size_t j = 0; j < n; j++) {
            dot[j] += dot[j + n];
            sq[j] += sq[j + n];
        }
    sums[0] = dot[0];
    sums[1] = sq[0];
}

static void c_near_f32(const float *q, const void *x, size_t d, float sums[2]) {
    c_near(q, x, d, false, sums);
}

static void c_near_f16(const float *q, const void *x, size_t d, float sums[2]) {
    c_near(q, x, d, true, sums);
}

const struct sim_kern sim_kern_c = {"c", c_f32, c_f16, c_dot, c_near_f32, c_near_f16};

static int sums_of(const struct sim_kern *k, const double *q, enum dtype dt, const void *x,
                   size_t d, double sums[2]) {
    (dt == DT_F16 ? k->f16 : k->f32)(q, x, d, sums);
    return !isfinite(sums[1]) ? SIM_NOT_FINITE : sums[1] > 0 ? SIM_OK : SIM_ZERO;
}

const struct sim_kern *sim_kern_choose(const char *kern) {
#ifdef KERNELS_x86_64
    if (!strcmp(kern, "avx512") || !strcmp(kern, "bf16"))
        return &sim_kern_avx512;
    if (!strcmp(kern, "avx2"))
        return &sim_kern_avx2;
#endif
    (void)kern;
    return &sim_kern_c;
}

int sim_query(struct sim_query *q, const struct sim_kern *kern, enum dtype dt, const void *x,
              size_t d, double *v) {
    const unsigned char *p = x;
    double sums[2];
    int r;

    for (size_t i = 0; i < d; i++) {
        uint16_t h;
        float f;

        if (dt == DT_F16) {
            memcpy(&h, p + 2 * i, 2);
            f = f16_f32(h);
        } else {
            memcpy(&f, p + 4 * i, 4);
        }
        v[i] = (double)f;
    }
    r = sums_of(kern, v, dt, x, d, sums);
    *q = (struct sim_query){kern, v, d, sums[1]};
    return r;
}

/* |q|^2 |x|^2 is at most (2^20 2^256)^2 and at least 2^-596, so it cannot overflow or vanish. */
int sim_cosine(const struct sim_query *q, enum dtype dt, const void *x, double *cos) {
    double sums[2], c;
    int r = sums_of(q->kern, q->v, dt, x, q->d, sums);

    if (r != SIM_OK)
        return r;
    c = sums[0] / sqrt(q->sq * sums[1]);
    *cos = c > 1 ? 1 : c < -1 ? -1 : c;
    return SIM_OK;
}

/* The largest number of roundings of one element in near_f32 and near_f16: the product, the additions to its partial
 * sum (there are at least NEAR partial sums), and the additions of the partial sums in a tree.  A fused multiply-add
 * does one rounding less. */
#define FILTER_STEPS(d) ((d) / NEAR + 8)

static const double MOST = 0x1p80, LEAST = 0x1p-80;    /* the bound holds for squares in [LEAST, MOST] */

void sim_filter(struct sim_filter *f, const struct sim_query *q, float *v) {
    double nu = (double)FILTER_STEPS(q->d) * 0x1p-24;
    bool holds = v && q->d <= 1 << 16 && q->sq >= LEAST && q->sq <= MOST;

    *f = (struct sim_filter){q, holds ? v : NULL, 2 * nu / (1 - nu), sqrt(q->sq)};
    for (size_t i = 0; holds && i < q->d; i++)
        v[i] = (float)q->v[i];
}

bool sim_below(const struct sim_filter *f, enum dtype dt, const void *x, double least) {
    float sums[2];
    double sq;

    if (!f->v)
        return false;
    (dt == DT_F16 ? f->q->kern->near_f16 : f->q->kern->near_f32)(f->v, x, f->q->d, sums);
    sq = (double)sums[1];
    return sq >= LEAST && sq <= MOST && (double)sums[0] < (least - f->bound) * f->norm * sqrt(sq);
}

const char *sim_reason(int result) {
    return result == SIM_ZERO         ? "is all zeros"
           : result == SIM_NOT_FINITE ? "has a value that is not finite"
                                      : "is good";
}

int sim_normalise(float *x, size_t d) {
    double sq = 0, norm;

    for (size_t i = 0; i < d; i++)
        sq += (double)x[i] * (double)x[i];
    if (!isfinite(sq))
        return SIM_NOT_FINITE;
    if (!(sq > 0))
        return SIM_ZERO;
    if (fabs(sq - 1) <= 0x1p-23)    /* sq is 1 up to rounding, so x is normalised already */
        return SIM_OK;
    norm = sqrt(sq);
    for (size_t i = 0; i < d; i++)
        x[i] = (float)((double)x[i] / norm);
    return SIM_OK;
}

void sim_rows(const struct sim_query *q, const float *rows, size_t n, double *cos) {
    double norm = sqrt(q->sq), c;

    for (size_t i = 0; i < n; i++) {
        c = q->kern->dot(q->v, rows + i * q->d, q->d) / norm;
        cos[i] = c > 1 ? 1 : c < -1 ? -1 : c;
    }
}

void sim_sum_add(struct sim_sum *s, double x) {
    if (s->sum > 0 && x <= s->max) {
        s->sum += exp(x - s->max);
        return;
    }
    s->sum = s->sum > 0 ? s->sum * exp(s->max - x) + 1 : 1;
    s->max = x;
}

double sim_sum_prob(const struct sim_sum *s, double x) {
    return exp(x - s->max) / s->sum;
}
