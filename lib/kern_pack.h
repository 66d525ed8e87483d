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
