/* AVX512-BF16: products of bf16, two at a time, summed in f32.  Tiled as kern_avx512.c. */
#if defined __x86_64__

#define VL 16
#include "lib/kern_vec.h"

enum { ROWS = 6, COLS = 4, PANEL = COLS * VL };

/* Both rows and weights hold pairs of bf16; m is a constant in each call. */
INL void tile_of(size_t m, size_t pairs, const void *const a[], const char *w, float *c, size_t ldc,
                 bool add, const char *ahead, size_t step) {
    const char *x[ROWS];
    __m512 s[ROWS][COLS];

    UNROLL for (size_t i = 0; i < m; i++) {
        x[i] = a[i];
        UNROLL for (size_t j = 0; j < COLS; j++)
            s[i][j] = _mm512_setzero_ps();
    }
    for (size_t p = 0; p < pairs; p++, w += 4 * PANEL) {
        __m512bh b[COLS];

        UNROLL for (size_t j = 0; j < COLS; j++)
            b[j] = (__m512bh)_mm512_loadu_si512(w + 64 * j);
        _mm_prefetch(ahead, _MM_HINT_T1);
        ahead += step;
        UNROLL for (size_t i = 0; i < m; i++) {
            int32_t pair;
            __m512bh y;

            memcpy(&pair, x[i] + 4 * p, sizeof pair);
            y = (__m512bh)_mm512_set1_epi32(pair);
            UNROLL for (size_t j = 0; j < COLS; j++)
                s[i][j] = _mm512_dpbf16_ps(s[i][j], b[j], y);
        }
    }
    UNROLL for (size_t i = 0; i < m; i++)
        UNROLL for (size_t j = 0; j < COLS; j++) {
            float *to = c + i * ldc + j * VL;

            _mm512_storeu_ps(to, add ? _mm512_add_ps(s[i][j], _mm512_loadu_ps(to)) : s[i][j]);
        }
}

static void bf16_tile(size_t m, size_t k, const void *const a[], const void *packed, float *c,
                      size_t ldc, bool add, const char *ahead, size_t step) {
    step *= 2;
    if (!step)
        ahead = packed;
    switch (m) {
    case 1: tile_of(1, k / 2, a, packed, c, ldc, add, ahead, step); break;
    case 2: tile_of(2, k / 2, a, packed, c, ldc, add, ahead, step); break;
    case 3: tile_of(3, k / 2, a, packed, c, ldc, add, ahead, step); break;
    case 4: tile_of(4, k / 2, a, packed, c, ldc, add, ahead, step); break;
    case 5: tile_of(5, k / 2, a, packed, c, ldc, add, ahead, step); break;
    case 6: tile_of(6, k / 2, a, packed, c, ldc, add, ahead, step); break;
    }
}

static void bf16_pack(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k) {
    unsigned short *to = packed;

    for (size_t p = 0; p < k; p += 2, to += 2 * PANEL)
        for (size_t j = 0; j < PANEL; j++) {
            to[2 * j] = j < n ? f32_bf16(w[j * rs + p * cs]) : 0;
            to[2 * j + 1] = j < n && p + 1 < k ? f32_bf16(w[j * rs + (p + 1) * cs]) : 0;
        }
}

const struct kern kern_bf16 = {
    .name = "bf16", .precision = PREC_BF16, .f32 = &kern_avx512,
    .rows = ROWS, .panel = PANEL, .depth = 768, .elem = 2, .pack = bf16_pack, .tile = bf16_tile,
    VEC_TABLE
};

#endif
