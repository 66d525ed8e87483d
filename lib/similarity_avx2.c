/* similarity_avx2.c - AVX2, FMA and F16C; the same lanes as the C kernel, so the same bits */
#ifdef __AVX2__

#include <immintrin.h>
#include <string.h>

#include "lib/similarity.h"

struct sums {
    __m256d dot[4], sq[4];
};

static inline void add(struct sums *s, const double *q, __m256 lo, __m256 hi) {
    const __m256d x[4] = {_mm256_cvtps_pd(_mm256_castps256_ps128(lo)),
                          _mm256_cvtps_pd(_mm256_extractf128_ps(lo, 1)),
                          _mm256_cvtps_pd(_mm256_castps256_ps128(hi)),
                          _mm256_cvtps_pd(_mm256_extractf128_ps(hi, 1))};

    for (int i = 0; i < 4; i++) {
        s->dot[i] = _mm256_fmadd_pd(_mm256_loadu_pd(q + 4 * i), x[i], s->dot[i]);
        s->sq[i] = _mm256_fmadd_pd(x[i], x[i], s->sq[i]);
    }
}

static inline double total(const __m256d a[4]) {
    double v[8], s = 0;

    _mm256_storeu_pd(v, _mm256_add_pd(a[0], a[2]));
    _mm256_storeu_pd(v + 4, _mm256_add_pd(a[1], a[3]));
    for (int i = 0; i < 8; i++)
        s += v[i];
    return s;
}

static inline void empty(struct sums *s) {
    for (int i = 0; i < 4; i++)
        s->dot[i] = s->sq[i] = _mm256_setzero_pd();
}

static void avx2_f32(const double *q, const void *x, size_t d, double sums[2]) {
    const unsigned char *p = x;
    struct sums s;
    size_t i;

    empty(&s);
    for (i = 0; i + 16 <= d; i += 16) {
        __m256 lo, hi;

        memcpy(&lo, p + 4 * i, 32);
        memcpy(&hi, p + 4 * i + 32, 32);
        add(&s, q + i, lo, hi);
    }
    if (i < d) {
        float v[16] = {0};
        double w[16] = {0};

        memcpy(v, p + 4 * i, 4 * (d - i));
        memcpy(w, q + i, 8 * (d - i));
        add(&s, w, _mm256_loadu_ps(v), _mm256_loadu_ps(v + 8));
    }
    sums[0] = total(s.dot);
    sums[1] = total(s.sq);
}

static void avx2_f16(const double *q, const void *x, size_t d, double sums[2]) {
    const unsigned char *p = x;
    struct sums s;
    __m128i h[2];
    size_t i;

    empty(&s);
    for (i = 0; i + 16 <= d; i += 16) {
        memcpy(h, p + 2 * i, 32);
        add(&s, q + i, _mm256_cvtph_ps(h[0]), _mm256_cvtph_ps(h[1]));
    }
    if (i < d) {
        double w[16] = {0};

        memset(h, 0, sizeof h);
        memcpy(h, p + 2 * i, 2 * (d - i));
        memcpy(w, q + i, 8 * (d - i));
        add(&s, w, _mm256_cvtph_ps(h[0]), _mm256_cvtph_ps(h[1]));
    }
    sums[0] = total(s.dot);
    sums[1] = total(s.sq);
}

static inline void add_dot(__m256d dot[4], const double *q, const float *x) {
    for (int i = 0; i < 4; i++)
        dot[i] = _mm256_fmadd_pd(_mm256_loadu_pd(q + 4 * i),
                                 _mm256_cvtps_pd(_mm_loadu_ps(x + 4 * i)), dot[i]);
}

static double avx2_dot(const double *q, const float *x, size_t d) {
    struct sums s;
    size_t i;

    empty(&s);
    for (i = 0; i + 16 <= d; i += 16)
        add_dot(s.dot, q + i, x + i);
    if (i < d) {
        float v[16] = {0};
        double w[16] = {0};

        memcpy(v, x + i, 4 * (d - i));
        memcpy(w, q + i, 8 * (d - i));
        add_dot(s.dot, w, v);
    }
    return total(s.dot);
}

const struct sim_kern sim_kern_avx2 = {"avx2", avx2_f32, avx2_f16, avx2_dot};

#else
typedef int no_avx2;    /* ISO C wants something in every file */
#endif
