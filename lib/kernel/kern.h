/* kern.h - the inner loops, one table of functions for each instruction set
 *
 * What     Whatever costs time is computed by one of these functions.  A product is computed in one of two forms:
 *
 *          gemm   c = a W^T for matrices as they are stored (the C kernels and BLIS), or
 *          tile   c = a W^T for at most `rows` rows of a and one panel of `panel` columns,
 *                 with weights that were packed once (our own kernels; panel > 0).
 *
 *          A panel is packed as [k][panel] f32, or [k/2][panel][2] bf16, with zeros where the matrix
 *          ends.  Any stretch of k can be multiplied alone, so sums over a long k are cut into
 *          pieces of `depth` that stay in the caches:
 *
 *              columns 0..panel-1 of k = 0 | of k = 1 | ... | of k = depth-1 || next piece ...
 *
 *          The rows of a are given one by one, as pointers, so that a convolution passes its pixels
 *          without a copy.
 *
 *          What the numbers of a product are stored as stands in one of the formats KERN_* below.  bf16
 *          has two kinds of packed table.  Where the CPU multiplies bf16, weights and rows of a are bf16.
 *          Elsewhere weights are bf16, widened to f32 when they are loaded, and rows of a are f32: half
 *          the memory of f32, with its arithmetic.
 * Source   The tiling: Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix
 *          Multiplication", doi:10.1145/1356052.1356053.  Rows of a are not packed: their elements are
 *          broadcast from where they are.
 * Shapes   Given at each function.  Strides count elements.  Pointers need no alignment, except packed
 *          weights and c in tile.
 * Numbers  The order of the additions for one element of c depends on k, `depth` and the table only.  It does not
 *          depend on m, n or the place of the element, so batches and threads do not change a bit.  f32: sums in f32.
 *          bf16: weights, and rows of a where the format says so, rounded to bf16 (nearest even), sums
 *          in f32.
 *          exp is within 1.5 ULP (0 below -104), gelu within 5e-7 |x| of the exact function,
 *          quick_gelu, silu and gelu_tanh within 3e-7 |x|: see tests/unit/kern.c.
 *          NaN goes through everything, exps included.
 * Threads  Every function may run on many threads at once; there is no state.
 */
#ifndef UNCLIP_KERN_H
#define UNCLIP_KERN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/base/size.h"
#include "lib/base/tensor.h"

enum { KERN_WIDE = 384 * 16 };    /* the largest depth * panel of a table with tile_widen */

enum precision { PREC_F32, PREC_BF16 };

/* "f32", "bf16" */
const char *precision_name(enum precision p);

/* The formats.  A table names one of them.  All code that depends on the precision reads these fields. */
#define KERN_F32          .precision = PREC_F32,  .weight = DT_F32,  .row = DT_F32,  .group = 1
#define KERN_BF16         .precision = PREC_BF16, .weight = DT_BF16, .row = DT_BF16, .group = 2
#define KERN_BF16_WEIGHTS .precision = PREC_BF16, .weight = DT_BF16, .row = DT_F32,  .group = 2
#define KERN_BF16_GEMM    .precision = PREC_BF16, .weight = DT_F32,  .row = DT_F32,  .group = 1

enum act { ACT_NONE, ACT_RELU, ACT_QUICK_GELU, ACT_GELU, ACT_GELU_TANH, ACT_SILU };

/* How y is made of a product c: y = act(c + bias) + residual, or, with act_last,
 * y = act(c + bias + residual).  bias and residual may be NULL; residual may be y. */
struct kern_out {
    const float *bias;        /* [n] */
    const float *residual;    /* [m, n], row stride ldy */
    float *y;                 /* [m, n], row stride ldy */
    size_t ldy;
    enum act act;
    bool act_last;
};

struct kern {
    const char *name;         /* of the instruction set: "c", "blis", "avx2", "avx512", "bf16"; two tables
                               * have the same name where there is one for each precision */
    const struct kern *f32;   /* the table for f32 of the same instruction set, or itself */

    /* The format. */
    enum precision precision;
    enum dtype weight, row;   /* what a weight is packed as (gemm: read as), and what rows of a hold */
    size_t group;             /* weights of one column that are stored side by side: k is filled up with
                               * zeros to a multiple of it */

    /* c [m, n] = a [m, k] W^T; element (j, i) of W is w[j * rs + i * cs].  NULL where panel > 0. */
    void (*gemm)(size_t m, size_t n, size_t k, const float *a, size_t lda,
                 const float *w, size_t rs, size_t cs, float *c, size_t ldc);

    size_t rows, panel, depth;    /* of tile; depth is a multiple of group */

    /* Pack n <= panel rows of W, k columns, into kern_k(k) rows of the panel. */
    void (*pack)(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k);

    /* c [m, n] = (add ? c : 0) + a W^T for m <= rows, n <= panel, k <= depth, a multiple of group where rows
     * of a are bf16.  c's rows are ldc apart, aligned to 64 bytes and have room for the panel: columns from n on
     * may be written.  ahead: memory to prefetch, step bytes of it for each k (0: none). */
    void (*tile)(size_t m, size_t n, size_t k, const void *const a[], const void *packed, float *c,
                 size_t ldc, bool add, const char *ahead, size_t step);

    /* As tile, for KERN_BF16_WEIGHTS, and the weights that were widened are kept in wide: [k][panel],
     * KERN_WIDE at most, aligned to 64 bytes, for the tile of f32, which gives the same sums to the bit.
     * NULL where it would not be faster. */
    void (*tile_widen)(size_t m, size_t n, size_t k, const void *const a[], const void *packed, float *c,
                       size_t ldc, bool add, const char *ahead, size_t step, float *wide);

    /* c [m, n] -> y */
    void (*finish)(const struct kern_out *o, size_t m, size_t n, const float *c, size_t ldc);

    /* one row of n */
    float (*dot)(size_t n, const float *x, const float *y);
    void (*axpy)(size_t n, float a, const float *x, float *y);    /* y += a x */
    void (*scale)(size_t n, float a, float *x);
    void (*act)(size_t n, enum act a, const float *x, float *y);  /* y may be x */
    /* x becomes exp(scale * (x - max x)), scale > 0, n > 0; returns the sum.  This is a softmax without the
     * division, which is cheaper after the product with the values. */
    float (*exps)(size_t n, float scale, float *x);
    /* y = (x - mean) / sqrt(var + eps) * g + b; y may be x */
    void (*norm)(size_t n, const float *x, const float *g, const float *b, float eps, float *y);

    /* y = act(x * mul + add), mul and add for each channel; y may be x */
    void (*affine)(size_t n, enum act a, const float *x, const float *mul, const float *add, float *y);
    /* m rows of n, row stride ldx: s[j] = sum of x + shift[j] over column j, q[j] = sum of the squares
     * of x + shift[j], in f64 and in the order of the rows; shift may be NULL */
    void (*moments)(size_t m, size_t n, const float *x, size_t ldx, const float *shift, double *s, double *q);

    /* Winograd's F(2x2, 3x3) for n channels (or other items) next to each other; winograd.h has the
     * formulas.  g and u hold weights, v holds rows.  Every table
     * gives the same bits, except that subnormal bf16 may become 0. */
    void (*win_weights)(size_t n, const void *g, size_t ldg, void *u, size_t ldu);    /* 9 -> 16 */
    void (*win_in)(size_t n, const float *const x[16], void *v, size_t ldv);
    void (*win_out)(size_t n, const float *m, size_t ldm, float *const y[4]);    /* 16 rows of products to 2 x 2 pixels */

    /* one row of n: widened exactly, or narrowed to nearest even, as the functions of that name in tensor.h */
    void (*f16_f32)(size_t n, const unsigned short *x, float *y);
    void (*bf16_f32)(size_t n, const unsigned short *x, float *y);
    void (*f32_bf16)(size_t n, const float *x, unsigned short *y);
};

/* k elements of a row, filled up to whole groups. */
static inline size_t kern_k(const struct kern *kern, size_t k) {
    return round_up(k, kern->group);
}

/* The table of that name for that precision.  A NULL name asks for the fastest table that a CPU with these
 * flags (cpu.h) runs.  Returns NULL and a message when there is no such table. */
const struct kern *kern_choose(const char *name, enum precision p, unsigned cpu, struct err *e);

/* Table i of all that a CPU with these flags can run; NULL when i is past the last one. */
const struct kern *kern_list(size_t i, unsigned cpu);

/* The kernels that BLIS runs ("skx") and its version ("0.9.0").  The first call starts BLIS. */
const char *kern_blis_arch(void);
const char *kern_blis_version(void);

/* The tables, one or two in each object.  Only those that kern_list gives may be used: the others need
 * another CPU, or were left out of this build (KERNELS=c leaves out those of x86_64). */
extern const struct kern kern_c, kern_c_bf16, kern_blis;
extern const struct kern kern_avx2, kern_avx2_bf16, kern_avx512, kern_avx512_bf16, kern_bf16;

#endif
