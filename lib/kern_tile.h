/* kern_tile.h - the f32 tile, for any width of vector
 *
 * What     Included after kern_vec.h, with VL as there, and ROWS and COLS: a tile is ROWS rows by
 *          COLS vectors of sums that stay in registers while k runs.  Each step of k loads COLS
 *          vectors of weights and broadcasts one number from each row.
 *          Ends with TILE_TABLE, the entries of struct kern.
 */
enum { PANEL = COLS * VL };

/* m and cols are constants in each call, so everything indexed by i and j is a register. */
INL void tile_of(size_t m, size_t cols, size_t k, const void *const a[], const float *w,
                 float *c, size_t ldc, bool add, const char *ahead, size_t step) {
    const float *x[ROWS];
    vf s[ROWS][COLS];

    UNROLL for (size_t i = 0; i < m; i++) {
        x[i] = a[i];
        UNROLL for (size_t j = 0; j < cols; j++)
            s[i][j] = vset(0);
    }
    for (size_t p = 0; p < k; p++, w += PANEL) {
        vf b[COLS];

        UNROLL for (size_t j = 0; j < cols; j++)
            b[j] = vload(w + j * VL);
        _mm_prefetch(ahead, _MM_HINT_T1);
        if (COLS == 4)
            _mm_prefetch(ahead + step / 2, _MM_HINT_T1);    /* with few rows a step is two lines */
        ahead += step;
        UNROLL for (size_t i = 0; i < m; i++) {
            vf y = vset(x[i][p]);

            UNROLL for (size_t j = 0; j < cols; j++)
                s[i][j] = vfma(y, b[j], s[i][j]);
        }
    }
    UNROLL for (size_t i = 0; i < m; i++)
        UNROLL for (size_t j = 0; j < cols; j++) {
            float *to = c + i * ldc + j * VL;

            vstore(to, add ? s[i][j] + vload(to) : s[i][j]);
        }
}

#define CASE(m, cols)                                                   \
    case (m) * 8 + (cols):                                              \
        tile_of(m, cols, k, a, packed, c, ldc, add, ahead, step); break;
#define CASES(cols) CASE(1, cols) CASE(2, cols) CASE(3, cols) CASE(4, cols) CASE(5, cols) CASE(6, cols)

static void vec_tile(size_t m, size_t n, size_t k, const void *const a[], const void *packed,
                     float *c, size_t ldc, bool add, const char *ahead, size_t step) {
    if (!step)
        ahead = packed;
    switch (m * 8 + (n + VL - 1) / VL) {
        CASES(1) CASES(2)
#if COLS == 4
        CASES(3) CASES(4)
#endif
    }
}

_Static_assert(ROWS == 6 && (COLS == 2 || COLS == 4), "vec_tile has a case for each size");

static void vec_pack(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k) {
    float *to = packed;

    if (cs == 1) {
        pack_items(to, PANEL, w, rs, n, k);
        return;
    }
    for (size_t p = 0; p < k; p++, to += PANEL, w += cs) {
        if (rs == 1)
            memcpy(to, w, n * sizeof *to);
        else
            for (size_t j = 0; j < n; j++)
                to[j] = w[j * rs];
        memset(to + n, 0, (PANEL - n) * sizeof *to);
    }
}

#define TILE_TABLE                                                                     \
    .rows = ROWS, .panel = PANEL, .depth = 384, .elem = 4, .pack = vec_pack, .tile = vec_tile
