/* kern_tile.h - the f32 tile, for any width of vector
 *
 * What     Included after kern_vec.h, with VL as there, and ROWS and COLS: a tile is ROWS rows by
 *          COLS vectors of sums that stay in registers while k runs.  Each step of k loads COLS
 *          vectors of weights and broadcasts one number from each row.
 *          Ends with TILE_TABLE, the entries of struct kern.
 */
enum { PANEL = COLS * VL };

/* m is a constant in each call, so everything indexed by i and j is a register. */
INL void tile_of(size_t m, size_t k, const void *const a[], const float *w, float *c, size_t ldc,
                 bool add, const char *ahead, size_t step) {
    const float *x[ROWS];
    vf s[ROWS][COLS];

    UNROLL for (size_t i = 0; i < m; i++) {
        x[i] = a[i];
        UNROLL for (size_t j = 0; j < COLS; j++)
            s[i][j] = vset(0);
    }
    for (size_t p = 0; p < k; p++, w += PANEL) {
        vf b[COLS];

        UNROLL for (size_t j = 0; j < COLS; j++)
            b[j] = vload(w + j * VL);
        _mm_prefetch(ahead, _MM_HINT_T1);
        ahead += step;
        UNROLL for (size_t i = 0; i < m; i++) {
            vf y = vset(x[i][p]);

            UNROLL for (size_t j = 0; j < COLS; j++)
                s[i][j] = vfma(y, b[j], s[i][j]);
        }
    }
    UNROLL for (size_t i = 0; i < m; i++)
        UNROLL for (size_t j = 0; j < COLS; j++) {
            float *to = c + i * ldc + j * VL;

            vstore(to, add ? s[i][j] + vload(to) : s[i][j]);
        }
}

static void vec_tile(size_t m, size_t k, const void *const a[], const void *packed, float *c,
                     size_t ldc, bool add, const char *ahead, size_t step) {
    if (!step)
        ahead = packed;
    switch (m) {
    case 1: tile_of(1, k, a, packed, c, ldc, add, ahead, step); break;
    case 2: tile_of(2, k, a, packed, c, ldc, add, ahead, step); break;
    case 3: tile_of(3, k, a, packed, c, ldc, add, ahead, step); break;
    case 4: tile_of(4, k, a, packed, c, ldc, add, ahead, step); break;
    case 5: tile_of(5, k, a, packed, c, ldc, add, ahead, step); break;
    case 6: tile_of(6, k, a, packed, c, ldc, add, ahead, step); break;
    }
}

_Static_assert(ROWS == 6, "vec_tile has a case for each number of rows");

static void vec_pack(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k) {
    float *to = packed;

    for (size_t p = 0; p < k; p++, to += PANEL)
        for (size_t j = 0; j < PANEL; j++)
            to[j] = j < n ? w[j * rs + p * cs] : 0;
}

#define TILE_TABLE                                                                     \
    .rows = ROWS, .panel = PANEL, .depth = 384, .elem = 4, .pack = vec_pack, .tile = vec_tile
