/* The tables in plain C.  They specify what every other table computes, and are written as simply as possible. */
#include "lib/kernel/kern.h"

#include <math.h>

#include "lib/base/tensor.h"

static void c_gemm(size_t m, size_t n, size_t k, const float *a, size_t lda,
                   const float *w, size_t rs, size_t cs, float *c, size_t ldc) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float s = 0;

            for (size_t p = 0; p < k; p++)
                s += a[i * lda + p] * w[j * rs + p * cs];
            c[i * ldc + j] = s;
        }
}

static float rounded(float x) {
    return bf16_f32(f32_bf16(x));
}

static void c_gemm_bf16(size_t m, size_t n, size_t k, const float *a, size_t lda,
                        const float *w, size_t rs, size_t cs, float *c, size_t ldc) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float s = 0;

            for (size_t p = 0; p < k; p++)
                s += rounded(a[i * lda + p]) * rounded(w[j * rs + p * cs]);
            c[i * ldc + j] = s;
        }
}

static float c_dot(size_t n, const float *x, const float *y) {
    float s = 0;

    for (size_t i = 0; i < n; i++)
        s += x[i] * y[i];
    return s;
}

static void c_axpy(size_t n, float a, const float *x, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void c_scale(size_t n, float a, float *x) {
    for (size_t i = 0; i < n; i++)
        x[i] *= a;
}

static float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

/* The constants are written in f64, because a test compiles this file for double precision. */
static const float quick = (float)1.702, root_half = (float)0.70710678118654752440, cubic = (float)0.044715,
                   root_2_pi = (float)0.79788456080286535588, root_1_2pi = (float)0.39894228040143267794;

static float act1(enum act a, float x) {
    switch (a) {
    case ACT_NONE: return x;
    case ACT_RELU: return x < 0 ? 0 : x;
    case ACT_QUICK_GELU: return x * sigmoid(quick * x);
    case ACT_GELU: return 0.5f * x * (1 + erff(x * root_half));
    case ACT_GELU_TANH: return 0.5f * x * (1 + tanhf(root_2_pi * (x + cubic * x * x * x)));
    case ACT_SILU: return x * sigmoid(x);
    }
    return x;
}

/* Returns the derivative of act1. */
static float act1_back(enum act a, float x) {
    float s;

    switch (a) {
    case ACT_NONE: return 1;
    case ACT_RELU: return x > 0 ? 1 : x == x ? 0 : x;
    case ACT_QUICK_GELU:
        s = sigmoid(quick * x);
        return s + quick * x * s * (1 - s);
    case ACT_GELU: return 0.5f * (1 + erff(x * root_half)) + x * root_1_2pi * expf(-0.5f * x * x);
    case ACT_GELU_TANH:
        s = tanhf(root_2_pi * (x + cubic * x * x * x));
        return 0.5f * (1 + s) + 0.5f * x * (1 - s * s) * root_2_pi * (1 + 3 * cubic * x * x);
    case ACT_SILU:
        s = sigmoid(x);
        return s + x * s * (1 - s);
    }
    return 1;
}

static void c_act(size_t n, enum act a, const float *x, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = act1(a, x[i]);
}

static void c_finish(const struct kern_out *o, size_t m, size_t n, const float *c, size_t ldc) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float v = c[i * ldc + j] + (o->bias ? o->bias[j] : 0);

            if (!o->act_last)
                v = act1(o->act, v);
            if (o->residual)
                v += o->residual[i * o->ldy + j];
            o->y[i * o->ldy + j] = o->act_last ? act1(o->act, v) : v;
        }
}

static float c_exps(size_t n, float scale, float *x) {
    float top = -INFINITY, s = 0;

    for (size_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf((x[i] - top) * scale);
        s += x[i];
    }
    return s;
}

static void c_norm(size_t n, const float *x, const float *g, const float *b, float eps, float *y) {
    double mean = 0, var = 0, r;

    for (size_t i = 0; i < n; i++)
        mean += (double)x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        var += ((double)x[i] - mean) * ((double)x[i] - mean);
    r = 1 / sqrt(var / (double)n + (double)eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(((double)x[i] - mean) * r) * g[i] + b[i];
}

static void c_act_back(size_t n, enum act a, const float *x, const float *dy, float *dx) {
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * act1_back(a, x[i]);
}

/* With h = (x - mean) r and a = dy g, the gradient is r (a - mean(a) - h mean(a h)). */
static void c_norm_back(size_t n, const float *x, const float *g, float eps, const float *dy, const float *add,
                        float *dx) {
    double mean = 0, var = 0, r, a = 0, ah = 0;

    for (size_t i = 0; i < n; i++)
        mean += (double)x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        var += ((double)x[i] - mean) * ((double)x[i] - mean);
    r = 1 / sqrt(var / (double)n + (double)eps);
    for (size_t i = 0; i < n; i++) {
        a += (double)dy[i] * (double)g[i];
        ah += (double)dy[i] * (double)g[i] * ((double)x[i] - mean) * r;
    }
    a /= (double)n;
    ah /= (double)n;
    for (size_t i = 0; i < n; i++)
        dx[i] = (float)(r * ((double)dy[i] * (double)g[i] - a - ((double)x[i] - mean) * r * ah)) + (add ? add[i] : 0);
}

static void c_softmax_back(size_t n, float scale, const float *y, const float *dy, float *dx) {
    float s = 0;

    for (size_t i = 0; i < n; i++)
        s += y[i] * dy[i];
    for (size_t i = 0; i < n; i++)
        dx[i] = scale * y[i] * (dy[i] - s);
}

static void c_positive(size_t n, const float *x, unsigned char *bits) {
    for (size_t i = 0; i < n; i += 8) {
        unsigned b = 0;

        for (size_t j = 0; j < 8 && i + j < n; j++)
            b |= (unsigned)(x[i + j] > 0) << j;
        bits[i / 8] = (unsigned char)b;
    }
}

static void c_select(size_t n, const unsigned char *bits, const float *dy, float *dx) {
    for (size_t i = 0; i < n; i++)
        dx[i] = bits[i / 8] >> i % 8 & 1 ? dy[i] : 0;
}

static void c_affine(size_t n, enum act a, const float *x, const float *mul, const float *add, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = act1(a, x[i] * mul[i] + add[i]);
}

static void c_moments(size_t m, size_t n, const float *x, size_t ldx, const float *shift, double *s, double *q) {
    for (size_t j = 0; j < n; j++) {
        s[j] = q[j] = 0;
        for (size_t i = 0; i < m; i++) {
            double v = (double)(x[i * ldx + j] + (shift ? shift[j] : 0));

            s[j] += v;
            q[j] += v * v;
        }
    }
}

/* win_in1, win_weights1 and win_out1 transform input, weights and output in one dimension.  The callers apply each of
 * them to both dimensions in turn. */
static void win_in1(float *d, size_t step) {
    float d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];

    d[0] = d0 - d2;
    d[step] = d1 + d2;
    d[2 * step] = d2 - d1;
    d[3 * step] = d1 - d3;
}

static void win_weights1(const float *g, size_t step, float *u, size_t to) {
    float ends = g[0] + g[2 * step];

    u[0] = g[0];
    u[to] = 0.5f * (ends + g[step]);
    u[2 * to] = 0.5f * (ends - g[step]);
    u[3 * to] = g[2 * step];
}

static void win_out1(const float *m, size_t step, float *y, size_t to) {
    y[0] = m[0] + m[step] + m[2 * step];
    y[to] = m[step] - m[2 * step] - m[3 * step];
}

static void c_win_weights_f32(size_t n, const void *g, size_t ldg, void *u, size_t ldu) {
    const float *from = g;
    float *to = u;

    for (size_t i = 0; i < n; i++) {
        float w[9], t[12], f[16];

        for (size_t k = 0; k < 9; k++)
            w[k] = from[k * ldg + i];
        for (size_t k = 0; k < 3; k++)
            win_weights1(w + k, 3, t + k, 3);
        for (size_t k = 0; k < 4; k++)
            win_weights1(t + 3 * k, 1, f + 4 * k, 1);
        for (size_t k = 0; k < 16; k++)
            to[k * ldu + i] = f[k];
    }
}

static void c_win_weights_bf16(size_t n, const void *g, size_t ldg, void *u, size_t ldu) {
    const unsigned short *from = g;
    unsigned short *to = u;

    for (size_t i = 0; i < n; i++) {
        float w[9], f[16];

        for (size_t k = 0; k < 9; k++)
            w[k] = bf16_f32(from[k * ldg + i]);
        c_win_weights_f32(1, w, 1, f, 1);
        for (size_t k = 0; k < 16; k++)
            to[k * ldu + i] = f32_bf16(f[k]);
    }
}

static void c_win_in_f32(size_t n, const float *const x[16], void *v, size_t ldv) {
    float *to = v;

    for (size_t i = 0; i < n; i++) {
        float d[16];

        for (size_t k = 0; k < 16; k++)
            d[k] = x[k][i];
        for (size_t k = 0; k < 4; k++)
            win_in1(d + k, 4);
        for (size_t k = 0; k < 4; k++)
            win_in1(d + 4 * k, 1);
        for (size_t k = 0; k < 16; k++)
            to[k * ldv + i] = d[k];
    }
}

static void c_win_in_bf16(size_t n, const float *const x[16], void *v, size_t ldv) {
    unsigned short *to = v;

    for (size_t i = 0; i < n; i++) {
        const float *at[16];
        float d[16];

        for (size_t k = 0; k < 16; k++)
            at[k] = x[k] + i;
        c_win_in_f32(1, at, d, 1);
        for (size_t k = 0; k < 16; k++)
            to[k * ldv + i] = f32_bf16(d[k]);
    }
}

static void c_win_out(size_t n, const float *m, size_t ldm, float *const y[4]) {
    for (size_t i = 0; i < n; i++) {
        float t[8], o[4];

        for (size_t k = 0; k < 4; k++)
            win_out1(m + k * ldm + i, 4 * ldm, t + k, 4);
        for (size_t k = 0; k < 2; k++)
            win_out1(t + 4 * k, 1, o + 2 * k, 1);
        for (size_t k = 0; k < 4; k++)
            y[k][i] = o[k];
    }
}

static void c_f16_f32(size_t n, const unsigned short *x, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = f16_f32(x[i]);
}

static void c_bf16_f32(size_t n, const unsigned short *x, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = bf16_f32(x[i]);
}

static void c_f32_bf16(size_t n, const float *x, unsigned short *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = f32_bf16(x[i]);
}

#define ROWS                                                                              \
    .finish = c_finish, .dot = c_dot, .axpy = c_axpy, .scale = c_scale, .act = c_act, .exps = c_exps, \
    .act_back = c_act_back, .norm_back = c_norm_back, .softmax_back = c_softmax_back,     \
    .positive = c_positive, .select = c_select, .norm = c_norm, .affine = c_affine, .moments = c_moments, .win_out = c_win_out,       \
    .f16_f32 = c_f16_f32, .bf16_f32 = c_bf16_f32, .f32_bf16 = c_f32_bf16

const struct kern kern_c = {
    .name = "c", KERN_F32, .f32 = &kern_c, .gemm = c_gemm,
    .win_weights = c_win_weights_f32, .win_in = c_win_in_f32, ROWS
};

const struct kern kern_c_bf16 = {
    .name = "c", KERN_BF16_GEMM, .f32 = &kern_c, .gemm = c_gemm_bf16,
    .win_weights = c_win_weights_bf16, .win_in = c_win_in_bf16, ROWS
};
