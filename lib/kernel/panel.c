#include "lib/kernel/panel.h"

#include <stdint.h>
#include <string.h>

enum { ROWS_MAX = 16 };

size_t panel_bytes(const struct kern *kern, size_t k) {
    return kern_k(kern, k) * kern->panel * kern_size(kern->weight);
}

size_t packed_bytes(const struct kern *kern, size_t n, size_t k) {
    size_t bytes;

    if (k > SIZE_MAX / 1024 || __builtin_mul_overflow(div_up(n, kern->panel), panel_bytes(kern, k), &bytes))
        return 0;
    return bytes;
}

void panel_column(const struct kern *kern, const void *packed, size_t k, size_t i, size_t j0, size_t j1, float *out) {
    const size_t panel = kern->panel, bytes = panel_bytes(kern, k);

    while (j0 < j1) {
        const char *from = (const char *)packed + j0 / panel * bytes;
        size_t at = j0 % panel, n = size_min(panel - at, j1 - j0);

        if (kern->weight == DT_BF16) {
            const char *pair = from + (i / 2 * panel + at) * 4 + i % 2 * 2;

            for (size_t q = 0; q < n; q++) {
                unsigned short half;

                memcpy(&half, pair + 4 * q, sizeof half);
                out[q] = bf16_f32(half);
            }
        } else {
            memcpy(out, from + (i * panel + at) * sizeof *out, n * sizeof *out);
        }
        out += n;
        j0 += n;
    }
}

void panel_times(const struct kern *kern, size_t m, size_t n, const void *const rows[], size_t k,
                 const char *packed, float *c, size_t ldc, bool add, const char *next) {
    const size_t tiles = div_up(m, kern->rows), pieces = div_up(k, kern->depth);
    /* k is cut into equal pieces.  Their length is even in every format, so that the additions have the same order
     * for f32 and for widened bf16. */
    const size_t piece = round_up(div_up(k, pieces), size_max(2, kern->group));
    const size_t row = kern_size(kern->row);

    /* The first tile widens the bf16 weights, and the other tiles use the widened weights. */
    const bool widen = kern->tile_widen && tiles >= 3;
    _Alignas(64) float wide[KERN_WIDE];

    for (size_t k0 = 0, kc; k0 < k; k0 += kc) {
        const char *ahead;
        size_t bytes, step;

        kc = size_min(piece, k - k0);
        bytes = panel_bytes(kern, kc);
        /* Each tile prefetches a part of the next piece of weights.  With a single tile the hardware's own prefetch is
         * as good. */
        ahead = k0 + kc < k ? packed + bytes : next;
        step = ahead && tiles > 1 ? bytes / (tiles * kc) + 1 : 0;
        for (size_t t = 0; t < tiles; t++) {
            size_t lo = m * t / tiles, hi = m * (t + 1) / tiles;
            const void *a[ROWS_MAX];

            for (size_t i = lo; i < hi; i++)
                a[i - lo] = (const char *)rows[i] + k0 * row;
            if (!widen)
                kern->tile(hi - lo, n, kc, a, packed, c + lo * ldc, ldc, add, ahead, step);
            else if (!t)
                kern->tile_widen(hi - lo, n, kc, a, packed, c, ldc, add, ahead, step, wide);
            else
                kern->f32->tile(hi - lo, n, kc, a, wide, c + lo * ldc, ldc, add, ahead, step);
            if (step)
                ahead += step * kc;
        }
        packed += bytes;
        add = true;
    }
}
