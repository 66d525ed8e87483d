/* kern_tile.h - the tile of products in f32, for any width of vector
 *
 * What     Included after kern_vec.h and kern_pack.h, with VL as there, and ROWS and COLS: a tile is
 *          ROWS rows by COLS vectors of sums that stay in registers while k runs.  Each step of k
 *          loads COLS vectors of weights and broadcasts one number from each row.
 *          Weights are f32, or pairs of bf16 that are widened on their way to the registers.
 *          tile_widen keeps what it widened, so that the next rows are multiplied by tile_f32.
 *          Ends with TILE_F32 and TILE_BF16, the entries of struct kern; a table that gains by
 *          tile_widen names it itself.
 */
enum { PANEL = COLS * VL };

/* Vector j of the weights of one step of k; of a pair, that of the half.  The second look at a pair
 * goes to memory again: kept from the first one, it would push sums out of the registers. */
INL vf weights_of(bool pairs, size_t half, const float *w, size_t j) {
    if (!pairs)
        return vload(w + j * VL);
    if (!half)
        return (vf)((vu)vload(w + j * VL) << 16);
    __asm__("" : "+r"(w));
    return (vf)((vu)vload(w + j * VL) & 0xffff0000);
}

/* s += column p of x times its weights, which are kept in wide, if that is not NULL, as one step of
 * f32.  pairs, m, cols and half are constants in each call, so everything indexed by i and j is a
 * register. */
INL void times(bool pairs, size_t half, size_t m, size_t cols, size_t p, const float *const x[], const float *w, float *wide,
               vf s[][COLS]) {
    vf b[COLS];

    UNROLL for (size_t j = 0; j < cols; j++) {
        b[j] = weights_of(pairs, half, w, j);
        if (wide)
            vstore(wide + p * PANEL + j * VL, b[j]);
    }
    UNROLL for (size_t i = 0; i < m; i++) {
        vf y = vset(x[i][p]);

        UNROLL for (size_t j = 0; j < cols; j++)
            s[i][j] = vfma(y, b[j], s[i][j]);
    }
}

INL void tile_of(bool pairs, size_t m, size_t cols, size_t k, const void *const a[], const float *w,
                 float *c, size_t ldc, bool add, const char *ahead, size_t step, float *wide) {
    /* of k at once, so that products are most of the instructions; lines are wanted ahead meanwhile
     * where a panel has two tiles or more */
    const size_t each = pairs ? 2 : 1, steps = each * (COLS == 2 ? 2 : 1), lines = COLS / 2;
    const float *x[ROWS];
    vf s[ROWS][COLS];
    size_t p = 0;

    UNROLL for (size_t i = 0; i < m; i++) {
        x[i] = a[i];
        UNROLL for (size_t j = 0; j < cols; j++)
            s[i][j] = vset(0);
    }
    for (; p + steps <= k; p += steps, w += steps / each * PANEL) {
        UNROLL for (size_t l = 0; l < lines; l++)
            _mm_prefetch(ahead + l * steps / lines * step, _MM_HINT_T1);
        ahead += steps * step;
        UNROLL for (size_t q = 0; q < steps; q++)
            times(pairs, q % each, m, cols, p + q, x, w + q / each * PANEL, wide, s);
    }
    UNROLL for (size_t q = 0; q + 1 < steps; q++)
        if (p + q < k)
            times(pairs, q % each, m, cols, p + q, x, w + q / each * PANEL, wide, s);
    UNROLL for (size_t i = 0; i < m; i++)
        UNROLL for (size_t j = 0; j < cols; j++) {
            float *to = c + i * ldc + j * VL;

            vstore(to, add ? s[i][j] + vload(to) : s[i][j]);
        }
}

#define CASE(pairs, wide, m, cols)                                             \
    case (m) * 8 + (cols):                                                     \
        tile_of(pairs, m, cols, k, a, packed, c, ldc, add, ahead, step, wide); break;
#define CASES(pairs, wide, cols)                                               \
    CASE(pairs, wide, 1, cols) CASE(pairs, wide, 2, cols) CASE(pairs, wide, 3, cols) \
    CASE(pairs, wide, 4, cols) CASE(pairs, wide, 5, cols) CASE(pairs, wide, 6, cols)
#if COLS == 4
#define ALL_CASES(pairs, wide)                                                 \
    CASES(pairs, wide, 1) CASES(pairs, wide, 2) CASES(pairs, wide, 3) CASES(pairs, wide, 4)
#else
#define ALL_CASES(pairs, wide) CASES(pairs, wide, 1) CASES(pairs, wide, 2)
#endif

_Static_assert(ROWS == 6 && (COLS == 2 || COLS == 4), "there is a case for each size");

static void tile_f32(size_t m, size_t n, size_t k, const void *const a[], const void *packed,
                     float *c, size_t ldc, bool add, const char *ahead, size_t step) {
    if (!step)
        ahead = packed;
    switch (m * 8 + (n + VL - 1) / VL) {
        ALL_CASES(false, NULL)
    }
}

static void tile_bf16(size_t m, size_t n, size_t k, const void *const a[], const void *packed,
                      float *c, size_t ldc, bool add, const char *ahead, size_t step) {
    if (!step)
        ahead = packed;
    switch (m * 8 + (n + VL - 1) / VL) {
        ALL_CASES(true, NULL)
    }
}

__attribute__((unused, nonnull(11)))
static void tile_widen(size_t m, size_t n, size_t k, const void *const a[], const void *packed,
                       float *c, size_t ldc, bool add, const char *ahead, size_t step, float *wide) {
    if (!step)
        ahead = packed;
    switch (m * 8 + (n + VL - 1) / VL) {
        ALL_CASES(true, wide)
    }
}

static void pack_f32(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k) {
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

static void pack_bf16(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k) {
    pack_pairs(packed, PANEL, w, rs, cs, n, k);
}

#define TILE_F32                                                                       \
    .rows = ROWS, .panel = PANEL, .depth = 384, .elem = 4, .elem_a = 4,                \
    .pack = pack_f32, .tile = tile_f32, .win_weights = vec_win_weights_f32, .win_in = vec_win_in_f32
#define TILE_BF16                                                                      \
    .rows = ROWS, .panel = PANEL, .depth = 384, .elem = 2, .elem_a = 4,                \
    .pack = pack_bf16, .tile = tile_bf16, .win_weights = vec_win_weights_bf16, .win_in = vec_win_in_f32
