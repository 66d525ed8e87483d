/* flags x86_64: -mavx512f -mavx512bw -mavx512vl -mavx512vbmi -mavx512vnni -mavx2 */
/* The passes of resize.h with 512-bit integers and byte products.  A weight of 24 bits is three
 * signed digits of base 256: vpdpbusd adds up four taps of a digit, sixteen taps and three colours at a time, and the
 * sums of the three digits, modulo 2^32, together give the exact sum. */
#include "lib/image/resize.h"

#include <assert.h>
#include <immintrin.h>
#include <string.h>

enum { GROUP = 16, DIGITS = 3 };

/* Writes the digits of the weights into x->split [n, taps / 16, 3 digits, 16].  Three digits hold weights up to 2; the
 * largest, which Lanczos has at an edge, is 1.3. */
static void split_vnni(struct resize_axis *x) {
    int8_t *to = x->split;

    for (size_t i = 0; i < x->n * x->taps; i++) {
        int8_t *at = to + i / GROUP * GROUP * DIGITS + i % GROUP;
        int32_t w = x->weight[i];

        for (int d = 0; d < DIGITS; d++, w = (w + 128) >> 8)
            at[d * GROUP] = (int8_t)((w & 0xff) < 128 ? w & 0xff : (w & 0xff) - 256);
        assert(w == 0);
    }
}

/* Returns the byte permutation that turns 16 pixels R G B into 16 R, 16 G, 16 B, with one colour in each lane of
 * 128 bits. */
static inline __m512i colours(void) {
    unsigned char at[64] = {0};

    for (unsigned char i = 0; i < GROUP; i++)
        for (unsigned char c = 0; c < 3; c++)
            at[c * GROUP + i] = (unsigned char)(3 * i + c);
    return _mm512_loadu_si512(at);
}

static inline __m512i digit(const int8_t *c, int d) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(c + d * GROUP)));
}

static void row_vnni(const struct resize_axis *x, const unsigned char *in, unsigned char *out) {
    const __m512i pick = colours();

    for (size_t i = 0; i < x->n; i++) {
        const int8_t *c = (const int8_t *)x->split + i * x->taps * DIGITS;
        const unsigned char *p = in + 3 * x->lo[i], *end = in + 3 * x->hi[i];
        __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s;
        __m128i t;
        int word;

        for (; p < end; p += 3 * GROUP, c += DIGITS * GROUP) {
            __m512i v = _mm512_permutexvar_epi8(pick, _mm512_maskz_loadu_epi8(0xffffffffffff, p));

            s0 = _mm512_dpbusd_epi32(s0, v, digit(c, 0));
            s1 = _mm512_dpbusd_epi32(s1, v, digit(c, 1));
            s2 = _mm512_dpbusd_epi32(s2, v, digit(c, 2));
        }
        s = _mm512_add_epi32(s0, _mm512_slli_epi32(s1, 8));
        s = _mm512_add_epi32(s, _mm512_slli_epi32(s2, 16));
        s = _mm512_add_epi32(s, _mm512_shuffle_epi32(s, _MM_PERM_BADC));
        s = _mm512_add_epi32(s, _mm512_shuffle_epi32(s, _MM_PERM_CDAB));
        s = _mm512_srai_epi32(_mm512_add_epi32(s, _mm512_set1_epi32(RESIZE_HALF)), RESIZE_BITS);
        /* keep one number of each lane, and clip the numbers to bytes */
        s = _mm512_maskz_compress_epi32(0x111, s);
        t = _mm512_castsi512_si128(s);
        t = _mm_packus_epi16(_mm_packs_epi32(t, t), t);
        word = _mm_cvtsi128_si32(t);
        memcpy(out + 3 * i, &word, 4);    /* the fourth byte is overwritten by the next pixel */
    }
}

/* Returns the mask of the first n of 16 elements. */
static inline __mmask16 first(size_t n) {
    return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1);
}

static void add_vnni(int32_t *sum, const unsigned char *row, int32_t weight, size_t n) {
    const __m512i w = _mm512_set1_epi32(weight);

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = first(n - i);
        __m512i v = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(m, row + i));
        __m512i s = _mm512_maskz_loadu_epi32(m, sum + i);

        _mm512_mask_storeu_epi32(sum + i, m, _mm512_add_epi32(s, _mm512_mullo_epi32(v, w)));
    }
}

static void clip_vnni(int32_t *sum, unsigned char *out, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = first(n - i);
        __m512i v = _mm512_srai_epi32(_mm512_maskz_loadu_epi32(m, sum + i), RESIZE_BITS);

        v = _mm512_max_epi32(v, _mm512_setzero_si512());
        _mm_mask_storeu_epi8(out + i, m, _mm512_cvtusepi32_epi8(v));
        _mm512_mask_storeu_epi32(sum + i, m, _mm512_set1_epi32(RESIZE_HALF));
    }
}

const struct resize_kernel resize_kernel_vnni = {"vnni", row_vnni, add_vnni, clip_vnni, split_vnni, GROUP, DIGITS};
