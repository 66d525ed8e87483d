#include "lib/kernel/panel.h"

enum { ROWS_MAX = 16 };

size_t panel_bytes(const struct kern *kern, size_t k) {
    size_t step = 4 / kern->elem;    /* a bf16 kernel takes k in pairs */

    return (k + step - 1) / step * step * kern->panel * kern->elem;
}

void panel_times(const struct kern *kern, size_t m, size_t n, const void *const rows[], size_t k,
                 const char *packed, float *c, size_t ldc, bool add, const char *next) {
    const size_t tiles = (m + kern->rows - 1) / kern->rows, pieces = (k + kern->depth - 1) / kern->depth;
    const size_t piece = ((k + pieces - 1) / pieces + 1) / 2 * 2;    /* equal, and even for bf16 */

    /* bf16 that f32's registers multiply is widened by the first tile, for the others */
    const bool widen = kern->tile_widen && tiles >= 3;
    _Alignas(64) float wide[KERN_WIDE];

    for (size_t k0 = 0, kc; k0 < k; k0 += kc) {
        const char *ahead;
        size_t bytes, step;

        kc = k - k0 < piece ? k - k0 : piece;
        bytes = panel_bytes(kern, kc);
        /* the next piece comes in from memory while this one is used, a little in each tile;
         * with one tile the hardware's own prefetch is as good */
        ahead = k0 + kc < k ? packed + bytes : next;
        step = ahead && tiles > 1 ? bytes / (tiles * kc) + 1 : 0;
        for (size_t t = 0; t < tiles; t++) {
            size_t lo = m * t / tiles, hi = m * (t + 1) / tiles;
            const void *a[ROWS_MAX];

            for (size_t i = lo; i < hi; i++)
                a[i - lo] = (const char *)rows[i] + k0 * kern->elem_a;
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
