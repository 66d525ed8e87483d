/* kern_vec.h - the loops over one row, for any width of vector
 *
 * What     Included by one kern_*.c for each instruction set, which has defined VL, the number
 *          of floats in a vector.  GCC's and clang's vector types give arithmetic, comparison
 *          and conversion; what they lack (fused multiply-add) is vfma below.  Ends with
 *          VEC_TABLE, the entries of struct kern.
 * Numbers  Sums run over SUMS vectors, then over their lanes in a fixed tree: the order depends
 *          on n only.  Tails are loaded into a vector filled up with a neutral value.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lib/kern.h"
#include "lib/tensor.h"

#if VL > 4
#include <immintrin.h>
#endif

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int32_t vi __attribute__((vector_size(4 * VL)));
typedef uint32_t vu __attribute__((vector_size(4 * VL)));
typedef uint16_t vh __attribute__((vector_size(2 * VL)));
typedef float vhalf __attribute__((vector_size(2 * VL)));    /* half as many floats, */
typedef double vd __attribute__((vector_size(4 * VL)));      /* and as many doubles */

#define INL static inline __attribute__((always_inline))
#if defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { SUMS = 4 };

/* ---- vectors ---- */

INL vf vset(float f) {
#if VL == 16
    return (vf)_mm512_set1_ps(f);
#elif VL == 8
    return (vf)_mm256_set1_ps(f);
#else
    return (vf){f, f, f, f};
#endif
}

INL vf vload(const float *p) {
    vf v;

    memcpy(&v, p, sizeof v);
    return v;
}

INL void vstore(float *p, vf v) {
    memcpy(p, &v, sizeof v);
}

#if VL == 8
/* The first n lanes, n < 8. */
INL __m256i lanes(size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

/* n < VL numbers; the other lanes are `fill`. */
INL vf vload_part(const float *p, size_t n, float fill) {
#if VL == 16
    return (vf)_mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)((1u << n) - 1), p);
#elif VL == 8
    return (vf)_mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, lanes(n)),
                                _mm256_castsi256_ps(lanes(n)));
#else
    vf v = vset(fill);

    memcpy(&v, p, n * sizeof *p);
    return v;
#endif
}

INL void vstore_part(float *p, size_t n, vf v) {
#if VL == 16
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif VL == 8
    _mm256_maskstore_ps(p, lanes(n), (__m256)v);
#else
    memcpy(p, &v, n * sizeof *p);
#endif
}

INL vf vfma(vf a, vf b, vf c) {
#if VL == 16
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VL == 8
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

INL vf vpick(vi mask, vf yes, vf no) {
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

/* a > b ? a : b; b where either is NaN */
INL vf vmax(vf a, vf b) {
#if VL == 16
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif VL == 8
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return vpick(a > b, a, b);
#endif
}

INL vf vmin(vf a, vf b) {
#if VL == 16
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif VL == 8
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return vpick(a < b, a, b);
#endif
}

INL float vsum(vf v) {
    float a[VL];

    memcpy(a, &v, sizeof a);
    for (int w = VL / 2; w; w /= 2)
        for (int i = 0; i < w; i++)
            a[i] += a[i + w];
    return a[0];
}

/* ---- functions of one vector ---- */

/* p * 2^k for whole k, down through the subnormals to 0 and up to infinity. */
INL vf vscale2(vf p, vf k) {
#if VL == 16
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)k);
#else
    vi n = __builtin_convertvector(vpick(k == k, k, vset(0)), vi), half = n >> 1;

    return p * (vf)((half + 127) << 23) * (vf)((n - half + 127) << 23);
#endif
}

INL vf vexp(vf x) {
    const float magic = 0x1.8p23f;    /* adding it rounds to an integer */
    vf k, r, p;

    x = vmin(vset(89), vmax(vset(-104), x));
    k = vfma(x, vset(0x1.715476p0f), vset(magic)) - magic;
    r = vfma(k, vset(-0x1.62e4p-1f), x);           /* ln 2 in two parts: the first is short, */
    r = vfma(k, vset(-0x1.7f7d1cp-20f), r);        /* so that its product is exact */
    p = vfma(vset(0.0013951717f), r, vset(0.008369599f));
    p = vfma(p, r, vset(0.041666187f));
    p = vfma(p, r, vset(0.16666512f));
    p = vfma(p, r, vset(0.5f));
    p = vfma(p * r, r, r) + 1.0f;
    return vscale2(p, k);
}

INL vf vsigmoid(vf x) {
    return 1.0f / (1.0f + vexp(-x));
}

/* (1 + erf(x / sqrt 2)) / 2 * x.  erf(a) = a P(a^2) below 1, 1 - exp(-Q(a)) from there on. */
INL vf vgelu(vf x) {
    vf a = (vf)((vi)x & 0x7fffffff) * 0.70710678f, s = a * a, p, q, erf;

    p = vfma(vset(-0.0005462925f), s, vset(0.0048707025f));
    p = vfma(p, s, vset(-0.02666381f));
    p = vfma(p, s, vset(0.112780645f));
    p = vfma(p, s, vset(-0.3761194f));
    p = vfma(p, s, vset(1.1283789f));
    q = vmin(vset(4), a);    /* 1 - erf(4) = 1.5e-8: 1 in f32 */
    erf = vfma(vset(-0.0001855749f), q, vset(0.0029396159f));
    erf = vfma(erf, q, vset(-0.021805352f));
    erf = vfma(erf, q, vset(0.10303744f));
    erf = vfma(erf, q, vset(0.6382256f));
    erf = vfma(erf, q, vset(1.12704f));
    erf = vfma(erf, q, vset(0.00035370892f));
    erf = vpick(a < vset(1), a * p, 1.0f - vexp(-erf));
    erf = (vf)((vi)erf | ((vi)x & ~0x7fffffff));
    return 0.5f * x * (1.0f + erf);
}

/* 0.5 (1 + tanh u) = sigmoid(2u) */
INL vf vgelu_tanh(vf x) {
    return x * vsigmoid(1.59576912f * x * vfma(x * x, vset(0.044715f), vset(1)));
}

INL vf vact(enum act a, vf x) {
    switch (a) {
    case ACT_NONE: break;
    case ACT_RELU: return vmax(vset(0), x);
    case ACT_QUICK_GELU: return x * vsigmoid(1.702f * x);
    case ACT_GELU: return vgelu(x);
    case ACT_GELU_TANH: return vgelu_tanh(x);
    case ACT_SILU: return x * vsigmoid(x);
    }
    return x;
}

/* ---- rows ---- */

INL vf out_of(const struct kern_out *o, vf v, vf bias, vf residual) {
    v += bias;
    if (!o->act_last)
        v = vact(o->act, v);
    v += residual;
    return o->act_last ? vact(o->act, v) : v;
}

static void vec_finish(const struct kern_out *o, size_t m, size_t n, const float *c, size_t ldc) {
    const vf zero = {0};

    for (size_t i = 0; i < m; i++) {
        const float *p = c + i * ldc, *res = o->residual ? o->residual + i * o->ldy : NULL;
        float *y = o->y + i * o->ldy;
        size_t j = 0, r;

        for (; j + VL <= n; j += VL)
            vstore(y + j, out_of(o, vload(p + j), o->bias ? vload(o->bias + j) : zero,
                                 res ? vload(res + j) : zero));
        r = n - j;
        if (r)
            vstore_part(y + j, r, out_of(o, vload_part(p + j, r, 0),
                                         o->bias ? vload_part(o->bias + j, r, 0) : zero,
                                         res ? vload_part(res + j, r, 0) : zero));
    }
}

static float vec_dot(size_t n, const float *x, const float *y) {
    vf s[SUMS] = {{0}};
    size_t i = 0;

    for (; i + SUMS * VL <= n; i += SUMS * VL)
        for (int q = 0; q < SUMS; q++)
            s[q] = vfma(vload(x + i + q * VL), vload(y + i + q * VL), s[q]);
    for (int q = 0; i + VL <= n; i += VL, q++)
        s[q] = vfma(vload(x + i), vload(y + i), s[q]);
    if (i < n)
        s[SUMS - 1] = vfma(vload_part(x + i, n - i, 0), vload_part(y + i, n - i, 0), s[SUMS - 1]);
    return vsum((s[0] + s[1]) + (s[2] + s[3]));
}

/* sum of (x - c)^power, power 1 or 2 */
INL float sum_from(size_t n, const float *x, float c, int power) {
    vf s[SUMS] = {{0}}, d;
    size_t i = 0;

    for (; i + SUMS * VL <= n; i += SUMS * VL)
        for (int q = 0; q < SUMS; q++) {
            d = vload(x + i + q * VL) - c;
            s[q] = power == 1 ? s[q] + d : vfma(d, d, s[q]);
        }
    for (int q = 0; i < n; q++) {
        size_t r = n - i < VL ? n - i : VL;

        d = (r < VL ? vload_part(x + i, r, c) : vload(x + i)) - c;
        s[q] = power == 1 ? s[q] + d : vfma(d, d, s[q]);
        i += r;
    }
    return vsum((s[0] + s[1]) + (s[2] + s[3]));
}

/* The largest; NaN where there is one, or, if !nan, perhaps a number. */
INL float row_max(size_t n, const float *x, bool nan) {
    vf m[SUMS], odd = {0}, v;
    float a[VL], top;
    size_t i = 0;

    for (int q = 0; q < SUMS; q++)
        m[q] = vset(-INFINITY);
    for (; i + SUMS * VL <= n; i += SUMS * VL)
        for (int q = 0; q < SUMS; q++) {
            v = vload(x + i + q * VL);
            m[q] = vmax(m[q], v);
            if (nan)
                odd = (vf)((vi)odd | (v != v));
        }
    for (; i < n; i += VL) {
        v = n - i < VL ? vload_part(x + i, n - i, -INFINITY) : vload(x + i);
        m[0] = vmax(m[0], v);
        if (nan)
            odd = (vf)((vi)odd | (v != v));
    }
    m[0] = vmax(vmax(m[0], m[1]), vmax(m[2], m[3]));
    m[0] = (vf)((vi)m[0] | (vi)odd);    /* all ones: NaN */
    memcpy(a, &m[0], sizeof a);
    top = a[0];
    for (int q = 1; q < VL; q++)
        top = a[q] > top || a[q] != a[q] ? a[q] : top;
    return top;
}

static float vec_max(size_t n, const float *x) {
    return row_max(n, x, true);
}

static void vec_axpy(size_t n, float a, const float *x, float *y) {
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        vstore(y + i, vfma(vset(a), vload(x + i), vload(y + i)));
    if (i < n)
        vstore_part(y + i, n - i, vfma(vset(a), vload_part(x + i, n - i, 0),
                                       vload_part(y + i, n - i, 0)));
}

static void vec_scale(size_t n, float a, float *x) {
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        vstore(x + i, vload(x + i) * a);
    if (i < n)
        vstore_part(x + i, n - i, vload_part(x + i, n - i, 0) * a);
}

static void vec_act(size_t n, enum act a, const float *x, float *y) {
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        vstore(y + i, vact(a, vload(x + i)));
    if (i < n)
        vstore_part(y + i, n - i, vact(a, vload_part(x + i, n - i, 0)));
}

static float vec_exps(size_t n, float scale, float *x) {
    const float top = row_max(n, x, false);
    vf s[2] = {{0}}, e;
    size_t i = 0;

    for (; i + 2 * VL <= n; i += 2 * VL)
        for (int q = 0; q < 2; q++) {
            e = vexp((vload(x + i + q * VL) - top) * scale);
            vstore(x + i + q * VL, e);
            s[q] += e;
        }
    if (i + VL <= n) {
        e = vexp((vload(x + i) - top) * scale);
        vstore(x + i, e);
        s[0] += e;
        i += VL;
    }
    if (i < n) {
        e = vexp((vload_part(x + i, n - i, -INFINITY) - top) * scale);
        vstore_part(x + i, n - i, e);
        s[1] += e;
    }
    return vsum(s[0] + s[1]);
}

static void vec_norm(size_t n, const float *x, const float *g, const float *b, float eps, float *y) {
    const float mean = sum_from(n, x, 0, 1) / (float)n;
    const float r = 1 / sqrtf(sum_from(n, x, mean, 2) / (float)n + eps);
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        vstore(y + i, vfma((vload(x + i) - mean) * r, vload(g + i), vload(b + i)));
    if (i < n)
        vstore_part(y + i, n - i, vfma((vload_part(x + i, n - i, 0) - mean) * r,
                                       vload_part(g + i, n - i, 0), vload_part(b + i, n - i, 0)));
}

static void vec_affine(size_t n, enum act a, const float *x, const float *mul, const float *add, float *y) {
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        vstore(y + i, vact(a, vfma(vload(x + i), vload(mul + i), vload(add + i))));
    if (i < n)
        vstore_part(y + i, n - i, vact(a, vfma(vload_part(x + i, n - i, 0), vload_part(mul + i, n - i, 0),
                                               vload_part(add + i, n - i, 0))));
}

/* r <= VL columns: sums of both halves stay in registers while the rows pass by. */
INL void moments_of(size_t m, size_t r, const float *x, size_t ldx, const float *shift, double *s, double *q) {
    const vf move = !shift ? (vf){0} : r < VL ? vload_part(shift, r, 0) : vload(shift);
    vd sum[2] = {{0}}, square[2] = {{0}};

    for (size_t i = 0; i < m; i++, x += ldx) {
        vf v = (r < VL ? vload_part(x, r, 0) : vload(x)) + move;
        vhalf h[2];

        memcpy(h, &v, sizeof h);
        for (int k = 0; k < 2; k++) {
            vd d = __builtin_convertvector(h[k], vd);

            sum[k] += d;
            square[k] += d * d;
        }
    }
    memcpy(s, sum, r * sizeof *s);
    memcpy(q, square, r * sizeof *q);
}

static void vec_moments(size_t m, size_t n, const float *x, size_t ldx, const float *shift, double *s, double *q) {
    size_t j = 0;

    for (; j + VL <= n; j += VL)
        moments_of(m, VL, x + j, ldx, shift ? shift + j : NULL, s + j, q + j);
    if (j < n)
        moments_of(m, n - j, x + j, ldx, shift ? shift + j : NULL, s + j, q + j);
}

/* ---- 16-bit rows ---- */

static void vec_bf16_f32(size_t n, const unsigned short *x, float *y) {
    size_t i = 0;

    for (; i + VL <= n; i += VL) {
        vh h;

        memcpy(&h, x + i, sizeof h);
        vstore(y + i, (vf)(__builtin_convertvector(h, vu) << 16));
    }
    for (; i < n; i++)
        y[i] = bf16_f32(x[i]);
}

static void vec_f32_bf16(size_t n, const float *x, unsigned short *y) {
    size_t i = 0;

    for (; i + VL <= n; i += VL) {
        vu u = (vu)vload(x + i), r = (u + 0x7fff + (u >> 16 & 1)) >> 16;
        vu nan = (vu)((u & 0x7fffffff) > 0x7f800000);
        vh h;

#ifdef __AVX512BF16__
        if (!_mm512_fpclass_ps_mask((__m512)u, 0x20)) {    /* the instruction makes subnormals 0 */
            __m256bh fast = _mm512_cvtneps_pbh((__m512)u);

            memcpy(y + i, &fast, sizeof fast);
            continue;
        }
#endif
        h = __builtin_convertvector((nan & (u >> 16 | 0x40)) | (~nan & r), vh);
        memcpy(y + i, &h, sizeof h);
    }
    for (; i < n; i++)
        y[i] = f32_bf16(x[i]);
}

/* ---- Winograd's F(2x2, 3x3) ---- */

/* The first n <= VL of weights or of transformed numbers, f32 or bf16 (half). */
INL vf vload_any(bool half, const void *p, size_t i, size_t n) {
    const float *f = p;
    vh h = {0};

    if (!half)
        return n < VL ? vload_part(f + i, n, 0) : vload(f + i);
    memcpy(&h, (const unsigned short *)p + i, n * sizeof(unsigned short));
    return (vf)(__builtin_convertvector(h, vu) << 16);
}

INL void vstore_any(bool half, void *p, size_t i, size_t n, vf v) {
    unsigned short *to = (unsigned short *)p + i;

    if (!half) {
        if (n < VL)
            vstore_part((float *)p + i, n, v);
        else
            vstore((float *)p + i, v);
        return;
    }
#ifdef __AVX512BF16__
    __m256bh h = _mm512_cvtneps_pbh((__m512)v);

    memcpy(to, &h, n * sizeof *to);
#else
    float f[VL];

    vstore(f, v);
    vec_f32_bf16(n, f, to);
#endif
}

/* One dimension of each; kern_c.c says it plainly. */
INL void win_in1(vf *d, size_t step) {
    vf d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];

    d[0] = d0 - d2;
    d[step] = d1 + d2;
    d[2 * step] = d2 - d1;
    d[3 * step] = d1 - d3;
}

INL void win_weights1(const vf *g, size_t step, vf *u, size_t to) {
    vf ends = g[0] + g[2 * step];

    u[0] = g[0];
    u[to] = 0.5f * (ends + g[step]);
    u[2 * to] = 0.5f * (ends - g[step]);
    u[3 * to] = g[2 * step];
}

INL void win_out1(const vf *m, size_t step, vf *y, size_t to) {
    y[0] = m[0] + m[step] + m[2 * step];
    y[to] = m[step] - m[2 * step] - m[3 * step];
}

/* n <= VL in these three, a constant where it is VL. */
INL void win_weights_of(bool half, size_t n, size_t i, const void *g, size_t ldg, void *u, size_t ldu) {
    vf w[9], t[12], f[16];

    UNROLL for (size_t k = 0; k < 9; k++)
        w[k] = vload_any(half, g, k * ldg + i, n);
    UNROLL for (size_t k = 0; k < 3; k++)
        win_weights1(w + k, 3, t + k, 3);
    UNROLL for (size_t k = 0; k < 4; k++)
        win_weights1(t + 3 * k, 1, f + 4 * k, 1);
    UNROLL for (size_t k = 0; k < 16; k++)
        vstore_any(half, u, k * ldu + i, n, f[k]);
}

INL void win_in_of(bool half, size_t n, size_t i, const float *const x[16], void *v, size_t ldv) {
    vf d[16];

    UNROLL for (size_t k = 0; k < 16; k++)
        d[k] = n < VL ? vload_part(x[k] + i, n, 0) : vload(x[k] + i);
    UNROLL for (size_t k = 0; k < 4; k++)
        win_in1(d + k, 4);
    UNROLL for (size_t k = 0; k < 4; k++)
        win_in1(d + 4 * k, 1);
    UNROLL for (size_t k = 0; k < 16; k++)
        vstore_any(half, v, k * ldv + i, n, d[k]);
}

INL void win_out_of(size_t n, const float *m, size_t ldm, float *const y[4], size_t i) {
    vf d[16], t[8], o[4];

    UNROLL for (size_t k = 0; k < 16; k++)
        d[k] = n < VL ? vload_part(m + k * ldm + i, n, 0) : vload(m + k * ldm + i);
    UNROLL for (size_t k = 0; k < 4; k++)
        win_out1(d + k, 4, t + k, 4);
    UNROLL for (size_t k = 0; k < 2; k++)
        win_out1(t + 4 * k, 1, o + 2 * k, 1);
    UNROLL for (size_t k = 0; k < 4; k++) {
        if (n < VL)
            vstore_part(y[k] + i, n, o[k]);
        else
            vstore(y[k] + i, o[k]);
    }
}

INL void win_weights(bool half, size_t n, const void *g, size_t ldg, void *u, size_t ldu) {
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        win_weights_of(half, VL, i, g, ldg, u, ldu);
    if (i < n)
        win_weights_of(half, n - i, i, g, ldg, u, ldu);
}

INL void win_in(bool half, size_t n, const float *const x[16], void *v, size_t ldv) {
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        win_in_of(half, VL, i, x, v, ldv);
    if (i < n)
        win_in_of(half, n - i, i, x, v, ldv);
}

/* A table takes those of its weights and of its rows. */
static inline void vec_win_weights_f32(size_t n, const void *g, size_t ldg, void *u, size_t ldu) {
    win_weights(false, n, g, ldg, u, ldu);
}

static inline void vec_win_weights_bf16(size_t n, const void *g, size_t ldg, void *u, size_t ldu) {
    win_weights(true, n, g, ldg, u, ldu);
}

static inline void vec_win_in_f32(size_t n, const float *const x[16], void *v, size_t ldv) {
    win_in(false, n, x, v, ldv);
}

static inline void vec_win_in_bf16(size_t n, const float *const x[16], void *v, size_t ldv) {
    win_in(true, n, x, v, ldv);
}

static void vec_win_out(size_t n, const float *m, size_t ldm, float *const y[4]) {
    size_t i = 0;

    for (; i + VL <= n; i += VL)
        win_out_of(VL, m, ldm, y, i);
    if (i < n)
        win_out_of(n - i, m, ldm, y, i);
}

static void vec_f16_f32(size_t n, const unsigned short *x, float *y) {
    size_t i = 0;

#if VL > 4
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(x + i))));
#endif
    for (; i < n; i++)
        y[i] = f16_f32(x[i]);
}

static void vec_f32_f16(size_t n, const float *x, unsigned short *y) {
    size_t i = 0;

#if VL > 4
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((void *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i),
                                                          _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < n; i++)
        y[i] = f32_f16(x[i]);
}

#define VEC_TABLE                                                                            \
    .finish = vec_finish, .dot = vec_dot, .max = vec_max, .axpy = vec_axpy,                  \
    .scale = vec_scale, .act = vec_act, .exps = vec_exps, .norm = vec_norm,                  \
    .affine = vec_affine, .moments = vec_moments,                                            \
    .win_out = vec_win_out,                                                                  \
    .f16_f32 = vec_f16_f32, .bf16_f32 = vec_bf16_f32, .f32_f16 = vec_f32_f16,                \
    .f32_bf16 = vec_f32_bf16
