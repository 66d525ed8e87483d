/* kern_pack.h - turn rows of 32-bit items into columns of a panel
 *
 * What     Included after kern_vec.h by the tables that pack; an item is a float or a pair of bf16.
 */

/* to[p * panel + j] = item p of row j for p < k, j < n; columns n..panel-1 become 0.
 * Four by four with 128-bit shuffles: stores, not shuffles, are what takes time. */
INL void pack_items(float *to, size_t panel, const float *from, size_t row, size_t n, size_t k) {
    size_t p = 0;

    for (; p + 4 <= k; p += 4) {
        float *t = to + p * panel;
        size_t j = 0;

        for (; j + 4 <= n; j += 4) {
            const float *f = from + j * row + p;
            __m128 a = _mm_loadu_ps(f), b = _mm_loadu_ps(f + row);
            __m128 c = _mm_loadu_ps(f + 2 * row), d = _mm_loadu_ps(f + 3 * row);

            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(t + j, a);
            _mm_storeu_ps(t + j + panel, b);
            _mm_storeu_ps(t + j + 2 * panel, c);
            _mm_storeu_ps(t + j + 3 * panel, d);
        }
        for (size_t q = 0; q < 4; q++)
            for (size_t i = j; i < panel; i++)
                t[q * panel + i] = i < n ? from[i * row + p + q] : 0;
    }
    for (; p < k; p++)
        for (size_t j = 0; j < panel; j++)
            to[p * panel + j] = j < n ? from[j * row + p] : 0;
}

/* Pairs of bf16: item p of column j is element 2p of row j of w and element 2p + 1, 0 past k. */
INL void pack_pairs(void *packed, size_t panel, const float *w, size_t rs, size_t cs, size_t n, size_t k) {
    enum { STEP = 32, PANEL_MAX = 64 };    /* of k: a corner of w small enough for the first-level cache */
    float pairs[PANEL_MAX][STEP / 2], row[STEP];
    unsigned short half[STEP];

    for (size_t p = 0; p < k; p += STEP) {
        size_t kc = k - p < STEP ? k - p : STEP;

        for (size_t j = 0; j < n; j++) {
            const float *from = w + j * rs + p * cs;

            if (cs != 1) {
                for (size_t i = 0; i < kc; i++)
                    row[i] = from[i * cs];
                from = row;
            }
            if (kc % 2)
                half[kc] = 0;
            vec_f32_bf16(kc, from, half);
            memcpy(pairs[j], half, (kc + 1) / 2 * sizeof pairs[j][0]);
        }
        pack_items((float *)packed + p / 2 * panel, panel, pairs[0], STEP / 2, n, (kc + 1) / 2);
    }
}
