/* flags x86_64: -mavx2 */
/* The passes of resize.h with 256-bit integers.  A weight has 24 bits, which vpmaddwd cannot
 * take and vpmulld takes slowly; split into 12 low and 12 high bits, a weight takes two vpmaddwd, each of which adds up
 * two taps.  The sums of both halves, modulo 2^32, together give the exact sum. */
#include "lib/image/resize.h"

#include <immintrin.h>
#include <string.h>

/* Returns 4 taps of R G B, from 12 of the 16 bytes at p, as pairs of 16-bit integers, two taps in each half. */
static inline __m256i pixels(const unsigned char *p) {
    const __m256i pick = _mm256_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);

    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(v), pick);
}

/* Writes the low (l) and high (h) 12 bits of the weights into x->split, four taps as l0 l1 h0 h1 l2 l3 h2 h3. */
static void split_avx2(struct resize_axis *x) {
    int16_t *to = x->split;

    for (size_t i = 0; i < x->n * x->taps; i++) {
        size_t at = i / 4 * 8 + (i & 2) * 2 + (i & 1);

        to[at] = (int16_t)(x->weight[i] & 0xfff);
        to[at + 2] = (int16_t)(x->weight[i] >> 12);
    }
}

static void row_avx2(const struct resize_axis *x, const unsigned char *in, unsigned char *out) {
    const __m256i low = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
                                         8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11);
    const __m256i high = _mm256_add_epi8(low, _mm256_set1_epi8(4));

    for (size_t i = 0; i < x->n; i++) {
        const int16_t *c = (const int16_t *)x->split + i * x->taps * 2;
        const unsigned char *p = in + 3 * x->lo[i];
        size_t groups = (x->hi[i] - x->lo[i] + 3) / 4;
        __m256i sl = _mm256_setzero_si256(), sh = sl, s;
        __m128i t;
        int word;

        for (size_t j = 0; j < groups; j++, p += 12, c += 8) {
            __m256i v = pixels(p), w = _mm256_broadcastsi128_si256(
                _mm_loadu_si128((const __m128i *)(const void *)c));

            sl = _mm256_add_epi32(sl, _mm256_madd_epi16(v, _mm256_shuffle_epi8(w, low)));
            sh = _mm256_add_epi32(sh, _mm256_madd_epi16(v, _mm256_shuffle_epi8(w, high)));
        }
        s = _mm256_add_epi32(sl, _mm256_slli_epi32(sh, 12));
        t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
        t = _mm_srai_epi32(_mm_add_epi32(t, _mm_set1_epi32(RESIZE_HALF)), RESIZE_BITS);
        t = _mm_packus_epi16(_mm_packs_epi32(t, t), t);
        word = _mm_cvtsi128_si32(t);
        memcpy(out + 3 * i, &word, 4);    /* the fourth byte is overwritten by the next pixel */
    }
}

static void add_avx2(int32_t *sum, const unsigned char *row, int32_t weight, size_t n) {
    const __m256i w = _mm256_set1_epi32(weight);
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256i *s = (__m256i *)(void *)(sum + i);
        __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(row + i)));

        _mm256_storeu_si256(s, _mm256_add_epi32(_mm256_loadu_si256(s), _mm256_mullo_epi32(v, w)));
    }
    for (; i < n; i++)
        sum[i] = (int32_t)((uint32_t)sum[i] + (uint32_t)weight * row[i]);
}

static void clip_avx2(int32_t *sum, unsigned char *out, size_t n) {
    const __m256i half = _mm256_set1_epi32(RESIZE_HALF);
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256i *s = (__m256i *)(void *)(sum + i);
        __m256i v = _mm256_srai_epi32(_mm256_loadu_si256(s), RESIZE_BITS);
        __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packus_epi16(w, w));
        _mm256_storeu_si256(s, half);
    }
    resize_kernel_c.clip(sum + i, out + i, n - i);
}

const struct resize_kernel resize_kernel_avx2 = {"avx2", row_avx2, add_avx2, clip_avx2, split_avx2, 4, 4};
