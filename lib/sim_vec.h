/* sim_vec.h - the passes over a vector, for any width of register
 *
 * What     Included by one similarity_*.c for each instruction set, which has defined VD, the doubles in a
 *          register.  Ends with SIM_TABLE, the entries of struct sim_kern.
 * Numbers  LANES elements go through at a time, into as many sums: the order of the C kernel, so the same
 *          bits.  A tail is filled up with zeros, which add nothing.  The sums in f32 (near_*) are in four
 *          registers of whatever width, so their last bits differ; similarity.h bounds them all.
 */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "lib/similarity.h"

#define INL static inline __attribute__((always_inline))
#if defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

enum { LANES = 16, SUMS = LANES / VD };
enum { VF = 2 * VD, FSUMS = 4, NEAR = FSUMS * VF };    /* f32: as many sums as hide the latency of an addition */
enum { LINE = 64, FETCH = 4096 };

#if VD == 8
typedef __m512d vd;
#define vd_fma _mm512_fmadd_pd
#define vd_add _mm512_add_pd
#define vd_zero _mm512_setzero_pd
#define vd_load _mm512_loadu_pd
#define vd_store _mm512_storeu_pd
#define vd_of_f32(p) _mm512_cvtps_pd(_mm256_loadu_ps(p))
#define vd_of_f16(p) _mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128((const void *)(p))))
typedef __m512 vf;
#define vf_fma _mm512_fmadd_ps
#define vf_add _mm512_add_ps
#define vf_zero _mm512_setzero_ps
#define vf_load _mm512_loadu_ps
#define vf_of_f16(p) _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(p)))
#else
typedef __m256d vd;
#define vd_fma _mm256_fmadd_pd
#define vd_add _mm256_add_pd
#define vd_zero _mm256_setzero_pd
#define vd_load _mm256_loadu_pd
#define vd_store _mm256_storeu_pd
#define vd_of_f32(p) _mm256_cvtps_pd(_mm_loadu_ps(p))
#define vd_of_f16(p) _mm256_cvtps_pd(_mm_cvtph_ps(_mm_loadl_epi64((const void *)(p))))
typedef __m256 vf;
#define vf_fma _mm256_fmadd_ps
#define vf_add _mm256_add_ps
#define vf_zero _mm256_setzero_ps
#define vf_load _mm256_loadu_ps
#define vf_of_f16(p) _mm256_cvtph_ps(_mm_loadu_si128((const void *)(p)))
#endif

/* VD elements at p, any alignment */
INL vd load_f32(const void *p) {
    return vd_of_f32(p);
}

INL vd load_f16(const void *p) {
    return vd_of_f16(p);
}

INL void block(const double *q, const unsigned char *x, size_t size, vd (*load)(const void *), vd *dot, vd *sq) {
    UNROLL for (int i = 0; i < SUMS; i++) {
        vd v = load(x + size * VD * (size_t)i);
        dot[i] = vd_fma(vd_load(q + VD * i), v, dot[i]);
        if (sq)
            sq[i] = vd_fma(v, v, sq[i]);
    }
}

/* d elements of `size` bytes: dot += q.x and, where sq is no NULL, sq += x.x */
INL void pass(const double *q, const void *x, size_t d, size_t size, vd (*load)(const void *), vd *dot, vd *sq) {
    const unsigned char *p = x;
    unsigned char rest[LANES * sizeof(float)] = {0};
    double w[LANES] = {0};
    size_t i;

    UNROLL for (i = 0; i < SUMS; i++) {
        dot[i] = vd_zero();
        if (sq)
            sq[i] = vd_zero();
    }
    for (i = 0; i + LANES <= d; i += LANES)
        block(q + i, p + size * i, size, load, dot, sq);
    if (i == d)
        return;
    memcpy(rest, p + size * i, size * (d - i));
    memcpy(w, q + i, sizeof *w * (d - i));
    block(w, rest, size, load, dot, sq);
}

static double total(const vd a[SUMS]) {
    double v[LANES / 2], s = 0;

    for (int i = 0; i < SUMS / 2; i++)
        vd_store(v + VD * i, vd_add(a[i], a[i + SUMS / 2]));
    for (int i = 0; i < LANES / 2; i++)
        s += v[i];
    return s;
}

static void vec_f32(const double *q, const void *x, size_t d, double sums[2]) {
    vd dot[SUMS], sq[SUMS];

    pass(q, x, d, 4, load_f32, dot, sq);
    sums[0] = total(dot);
    sums[1] = total(sq);
}

static void vec_f16(const double *q, const void *x, size_t d, double sums[2]) {
    vd dot[SUMS], sq[SUMS];

    pass(q, x, d, 2, load_f16, dot, sq);
    sums[0] = total(dot);
    sums[1] = total(sq);
}

static double vec_dot(const double *q, const float *x, size_t d) {
    vd dot[SUMS];

    pass(q, x, d, 4, load_f32, dot, NULL);
    return total(dot);
}

/* ---- about the same in f32 ---- */

INL vf near_load_f32(const void *p) {
    return vf_load(p);
}

INL vf near_load_f16(const void *p) {
    return vf_of_f16(p);
}

/* Fetches what comes FETCH bytes behind x, too: vectors lie one behind the other, and where a file is mapped the
 * processor's own prefetching stops at every page. */
INL void near_block(const float *q, const unsigned char *x, size_t size, vf (*load)(const void *), vf *dot, vf *sq) {
    UNROLL for (size_t i = 0; i < size * NEAR; i += LINE)
        _mm_prefetch((const char *)((uintptr_t)x + FETCH + i), _MM_HINT_T0);
    UNROLL for (int i = 0; i < FSUMS; i++) {
        vf v = load(x + size * VF * (size_t)i);
        dot[i] = vf_fma(vf_load(q + VF * i), v, dot[i]);
        sq[i] = vf_fma(v, v, sq[i]);
    }
}

INL __m128 four(vf x) {
#if VD == 8
    __m256 y = _mm256_add_ps(_mm512_castps512_ps256(x),
                             _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)));
#else
    __m256 y = x;
#endif
    return _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
}

INL void near_pass(const float *q, const void *x, size_t d, size_t size, vf (*load)(const void *), float sums[2]) {
    vf dot[FSUMS], sq[FSUMS];
    const unsigned char *p = x;
    size_t i;
    __m128 s;

    UNROLL for (i = 0; i < FSUMS; i++)
        dot[i] = sq[i] = vf_zero();
    for (i = 0; i + NEAR <= d; i += NEAR)
        near_block(q + i, p + size * i, size, load, dot, sq);
    if (i < d) {
        unsigned char rest[NEAR * sizeof(float)] = {0};
        float w[NEAR] = {0};

        memcpy(rest, p + size * i, size * (d - i));
        memcpy(w, q + i, sizeof *w * (d - i));
        near_block(w, rest, size, load, dot, sq);
    }
    s = _mm_hadd_ps(four(vf_add(vf_add(dot[0], dot[1]), vf_add(dot[2], dot[3]))),
                    four(vf_add(vf_add(sq[0], sq[1]), vf_add(sq[2], sq[3]))));
    _mm_storel_pi((__m64 *)(void *)sums, _mm_hadd_ps(s, s));
}

static void near_f32(const float *q, const void *x, size_t d, float sums[2]) {
    near_pass(q, x, d, 4, near_load_f32, sums);
}

static void near_f16(const float *q, const void *x, size_t d, float sums[2]) {
    near_pass(q, x, d, 2, near_load_f16, sums);
}

#define SIM_TABLE vec_f32, vec_f16, vec_dot, near_f32, near_f16
