/* flags x86_64: -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx512bf16 -mavx2 -mfma -mf16c -mprefer-vector-width=512 */
/* AVX512-BF16: an instruction multiplies pairs of bf16 and sums in f32.  Tiles are as large as in kern_avx512.c. */
#define VL 16
#define VEC_BF16
#include "lib/kernel/kern_vec.inc"
#include "lib/kernel/kern_pack.inc"
#include "lib/kernel/kern_check.inc"

enum { ROWS = 6, COLS = 4, PANEL = COLS * VL };

/* Multiplies m rows by cols vectors of columns.  Rows and weights hold pairs of bf16; m and cols are constants in each
 * call, so that the sums stay in registers. */
INL UNCHECKED void tile_of(size_t m, size_t cols, size_t pairs, const void *const a[], const char *w,
                           float *c, size_t ldc, bool add, const char *ahead, size_t step) {
    const char *x[ROWS];
    __m512 s[ROWS][COLS];

    UNROLL for (size_t i = 0; i < m; i++) {
        x[i] = a[i];
        UNROLL for (size_t j = 0; j < cols; j++)
            s[i][j] = _mm512_setzero_ps();
    }
    for (size_t p = 0; p < pairs; p++, w += 4 * PANEL) {
        __m512bh b[COLS];

        UNROLL for (size_t j = 0; j < cols; j++)
            b[j] = (__m512bh)_mm512_loadu_si512(w + 64 * j);
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + step / 2, _MM_HINT_T1);    /* with few rows, `step` is two cache lines */
        ahead += step;
        UNROLL for (size_t i = 0; i < m; i++) {
            int32_t pair;
            __m512bh y;

            memcpy(&pair, x[i] + 4 * p, sizeof pair);
            y = (__m512bh)_mm512_set1_epi32(pair);
            UNROLL for (size_t j = 0; j < cols; j++)
                s[i][j] = _mm512_dpbf16_ps(s[i][j], b[j], y);
        }
    }
    UNROLL for (size_t i = 0; i < m; i++)
        UNROLL for (size_t j = 0; j < cols; j++) {
            float *to = c + i * ldc + j * VL;

            _mm512_storeu_ps(to, add ? _mm512_add_ps(s[i][j], _mm512_loadu_ps(to)) : s[i][j]);
        }
}

#define CASE(m, cols)                                                       \
    case (m) * 8 + (cols):                                                  \
        tile_of(m, cols, k / 2, a, packed, c, ldc, add, ahead, step); break;
#define CASES(cols) CASE(1, cols) CASE(2, cols) CASE(3, cols) CASE(4, cols) CASE(5, cols) CASE(6, cols)

UNCHECKED
static void bf16_tile(size_t m, size_t n, size_t k, const void *const a[], const void *packed,
                      float *c, size_t ldc, bool add, const char *ahead, size_t step) {
    check_tile(m, k * sizeof(short), a, packed, k / 2 * PANEL * 4, c, ldc, (n + VL - 1) / VL * VL * sizeof *c);
    step *= 2;
    if (!step)
        ahead = packed;
    switch (m * 8 + (n + VL - 1) / VL) {
        CASES(1) CASES(2) CASES(3) CASES(4)
    }
}

/* Packs a matrix W whose columns are contiguous in memory (rs = 1), such as the values of an attention.  Each
 * instruction makes pairs of the elements of two columns of W.  The instruction turns subnormals into 0, as the product
 * would. */
static void pack_columns(unsigned short *to, const float *w, size_t cs, size_t n, size_t k) {
    static const unsigned short pairs[32] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                             8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i order = _mm512_loadu_si512(pairs);

    for (size_t p = 0; p < k; p += 2, w += 2 * cs)
        for (size_t j = 0; j < PANEL; j += VL, to += 2 * VL) {
            size_t r = j < n ? n - j : 0;
            const float *from = w + (r ? j : 0);
            vf a = r >= VL ? vload(from) : vload_part(from, r, 0), b = vset(0);

            if (p + 1 < k)
                b = r >= VL ? vload(from + cs) : vload_part(from + cs, r, 0);
            _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a)));
        }
}

static void bf16_pack(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k) {
    if (rs == 1 && cs != 1)
        pack_columns(packed, w, cs, n, k);
    else
        pack_pairs(packed, PANEL, w, rs, cs, n, k);
}

const struct kern kern_bf16 = {
    .name = "bf16", KERN_BF16, .f32 = &kern_avx512,
    .rows = ROWS, .panel = PANEL, .depth = 768, .pack = bf16_pack, .tile = bf16_tile,
    .win_weights = vec_win_weights_bf16, .win_in = vec_win_in_bf16, VEC_TABLE
};
