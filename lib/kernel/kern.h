/* kern.h - the inner loops, one table of functions for each instruction set
 *
 * What     The functions of a table do all work that costs time.  A table computes products in one of two forms:
 *
 *          gemm   c = a W^T for matrices as they are stored (the C kernels and BLIS), or
 *          tile   c = a W^T for at most `rows` rows of a and one panel of `panel` columns,
 *                 with weights that were packed once (our own kernels; panel > 0).
 *
 *          A panel is packed as [k][panel] f32, or [k/2][panel][2] bf16, filled up with zeros past the end of the
 *          matrix.  Any stretch of k can be multiplied alone, so sums over a long k are cut into pieces of `depth`
 *          that stay in the caches:
 *
 *              columns 0..panel-1 of k = 0 | of k = 1 | ... | of k = depth-1 || next piece ...
 *
 *          The rows of the matrix a are passed as an array of pointers, so that a convolution can pass its pixels
 *          without copying them.
 *
 *          The formats KERN_* below say in which types the numbers of a product are stored.  There are two
 *          kinds of packed table for bf16.  If the CPU can multiply bf16, weights and rows of a are bf16.  Otherwise
 *          rows of a are f32, and weights are stored as bf16 and widened to f32 when they are loaded.  Such weights
 *          need half the memory of f32 weights, and products are computed in f32.
 * Source   The tiling: Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix
 *          Multiplication", doi:10.1145/1356052.1356053.  Rows of a are not packed: their elements are broadcast from
 *          where they are stored.
 * Shapes   The comment of each function gives its shapes.  Strides count elements.  Pointers need no alignment,
 *          except packed weights and c in tile.
 * Numbers  The order of the additions for one element of c depends on k, `depth` and the table only.  It does not
 *          depend on m, n or the place of the element, so batches and threads do not change any bit of the result.
 *          All sums are f32.  bf16 tables round weights to bf16 (nearest even), and rows of a too if the field `row`
 *          is DT_BF16.  exp is within 1.5 ULP (and 0 below -104), gelu within 5e-7 |x| of the exact function,
 *          quick_gelu, silu and gelu_tanh within 3e-7 |x|: see tests/unit/kern.c.  Every function gives NaN for NaN,
 *          exps included.
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

/* Returns "f32" or "bf16". */
const char *precision_name(enum precision p);

/* The formats of products.  Each table contains one of these macros.  Code that depends on the precision reads the
 * fields that the macros set. */
#define KERN_F32          .precision = PREC_F32,  .weight = DT_F32,  .row = DT_F32,  .group = 1
#define KERN_BF16         .precision = PREC_BF16, .weight = DT_BF16, .row = DT_BF16, .group = 2
#define KERN_BF16_WEIGHTS .precision = PREC_BF16, .weight = DT_BF16, .row = DT_F32,  .group = 2
#define KERN_BF16_GEMM    .precision = PREC_BF16, .weight = DT_F32,  .row = DT_F32,  .group = 1

enum act { ACT_NONE, ACT_RELU, ACT_QUICK_GELU, ACT_GELU, ACT_GELU_TANH, ACT_SILU };

/* What `finish` computes from a product c: y = act(c + bias) + residual, or, with act_last,
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
    const char *name;         /* of the instruction set: "c", "blis", "avx2", "avx512" or "bf16"; if an instruction
                               * set has a table for each precision, both tables have this name */
    const struct kern *f32;   /* the f32 table of this instruction set; for an f32 table, the table itself */

    /* The format: KERN_* above. */
    enum precision precision;
    enum dtype weight, row;   /* the types in which weights are packed (gemm reads weights) and rows of a are stored */
    size_t group;             /* the number of weights of one column that are stored side by side; k is filled up with
                               * zeros to a multiple of `group` */

    /* Computes c [m, n] = a [m, k] W^T; element (j, i) of W is w[j * rs + i * cs].  gemm is NULL if panel > 0. */
    void (*gemm)(size_t m, size_t n, size_t k, const float *a, size_t lda,
                 const float *w, size_t rs, size_t cs, float *c, size_t ldc);

    size_t rows, panel, depth;    /* the largest m, n and k of tile; depth is a multiple of group */

    /* Packs k columns of n <= panel rows of W into one panel, which then has kern_k(kern, k) rows. */
    void (*pack)(void *packed, const float *w, size_t rs, size_t cs, size_t n, size_t k);

    /* Computes c [m, n] = (add ? c : 0) + a W^T for m <= rows, n <= panel, k <= depth.  k must be a multiple of
     * group if rows of a are bf16.  The rows of c are ldc floats apart and aligned to 64 bytes, and must have
     * room for `panel` columns, because the function may write columns from n on.  For each step of k the
     * function prefetches the next `step` bytes, beginning at `ahead`; it prefetches nothing if step is 0. */
    void (*tile)(size_t m, size_t n, size_t k, const void *const a[], const void *packed, float *c,
                 size_t ldc, bool add, const char *ahead, size_t step);

    /* Computes c as tile does, for KERN_BF16_WEIGHTS, and also writes the widened weights into wide: [k][panel],
     * at most KERN_WIDE floats, aligned to 64 bytes.  The `tile` of the f32 table can then multiply more rows by
     * `wide`, and computes sums that are equal to the bit.  tile_widen is NULL if this would not be faster. */
    void (*tile_widen)(size_t m, size_t n, size_t k, const void *const a[], const void *packed, float *c,
                       size_t ldc, bool add, const char *ahead, size_t step, float *wide);

    /* Writes o->y [m, n], computed from the product c [m, n] as struct kern_out says. */
    void (*finish)(const struct kern_out *o, size_t m, size_t n, const float *c, size_t ldc);

    /* These functions work on one row of n numbers.  dot returns the sum of x[i] * y[i]. */
    float (*dot)(size_t n, const float *x, const float *y);
    void (*axpy)(size_t n, float a, const float *x, float *y);    /* y += a x */
    void (*scale)(size_t n, float a, float *x);
    void (*act)(size_t n, enum act a, const float *x, float *y);  /* y may be x */
    /* Replaces x by exp(scale * (x - max x)), scale > 0, n > 0, and returns the sum of the results.  This is a
     * softmax without the division: the caller divides after the product with the values, which is cheaper. */
    float (*exps)(size_t n, float scale, float *x);
    /* y = (x - mean) / sqrt(var + eps) * g + b; y may be x */
    void (*norm)(size_t n, const float *x, const float *g, const float *b, float eps, float *y);

    /* y = act(x * mul + add), with a mul and an add for each channel; y may be x */
    void (*affine)(size_t n, enum act a, const float *x, const float *mul, const float *add, float *y);
    /* For m rows of n, row stride ldx, writes the sum of x + shift[j] over column j into s[j], and the sum of the
     * squares of x + shift[j] into q[j].  Both are summed in f64 in the order of the rows; shift may be NULL. */
    void (*moments)(size_t m, size_t n, const float *x, size_t ldx, const float *shift, double *s, double *q);

    /* The derivatives of the functions above, for gradients with respect to their inputs.  dy is the gradient at the
     * result, and dx receives the gradient at x; dx may be dy. */
    void (*act_back)(size_t n, enum act a, const float *x, const float *dy, float *dx);
    /* dx = add + the gradient of norm with respect to x.  add may be NULL.  dx may alias add or x. */
    void (*norm_back)(size_t n, const float *x, const float *g, float eps, const float *dy, const float *add, float *dx);
    /* y = softmax(scale * x):  dx = scale * y * (dy - sum of y * dy) */
    void (*softmax_back)(size_t n, float scale, const float *y, const float *dy, float *dx);
    /* ReLU: positive writes x[i] > 0 to bit i % 8 of bits[i / 8], and 0 to the bits that are left over in the last
     * byte.  select writes dx[i] = dy[i] if bit i is 1, else 0. */
    void (*positive)(size_t n, const float *x, unsigned char *bits);
    void (*select)(size_t n, const unsigned char *bits, const float *dy, float *dx);

    /* The transforms of Winograd's F(2x2, 3x3) for n channels (or other items) next to each other; winograd.h has
     * the formulas.  g and u hold weights, v holds rows.  All tables give the same bits, except that subnormal
     * bf16 may become 0. */
    void (*win_weights)(size_t n, const void *g, size_t ldg, void *u, size_t ldu);    /* makes 16 rows u of 9 rows g */
    void (*win_in)(size_t n, const float *const x[16], void *v, size_t ldv);
    void (*win_out)(size_t n, const float *m, size_t ldm, float *const y[4]);    /* makes 2 x 2 pixels of 16 products */

    /* These functions convert one row of n numbers as the functions of the same names in tensor.h do: the first two
     * widen exactly, f32_bf16 rounds to nearest even. */
    void (*f16_f32)(size_t n, const unsigned short *x, float *y);
    void (*bf16_f32)(size_t n, const unsigned short *x, float *y);
    void (*f32_bf16)(size_t n, const float *x, unsigned short *y);
};

/* Returns k rounded up to a multiple of the kernel's group. */
static inline size_t kern_k(const struct kern *kern, size_t k) {
    return round_up(k, kern->group);
}

/* Returns the size in bytes of a number of type d, which is DT_BF16 or DT_F32. */
static inline size_t kern_size(enum dtype d) {
    return d == DT_BF16 ? sizeof(unsigned short) : sizeof(float);
}

/* Returns the table called `name` for precision p.  If name is NULL, returns the fastest table of precision p that a
 * CPU with the flags `cpu` (cpu.h) can run.  Returns NULL with a message if this build has no table
 * of that name and precision, or if the CPU cannot run it. */
const struct kern *kern_choose(const char *name, enum precision p, unsigned cpu, struct err *e);

/* Returns table i of those that a CPU with the flags `cpu` can run, or NULL when i is past the last table. */
const struct kern *kern_list(size_t i, unsigned cpu);

/* kern_blis_arch returns the name of the kernels that BLIS runs ("skx").  The first call of kern_blis_arch starts BLIS.
 * kern_blis_version returns the version of BLIS ("0.9.0"). */
const char *kern_blis_arch(void);
const char *kern_blis_version(void);

/* The tables; each object file holds one or two.  Only tables that kern_list returns may be used.  The others need
 * another CPU, or were left out of this build (KERNELS=c leaves out the tables of x86_64). */
extern const struct kern kern_c, kern_c_bf16, kern_blis;
extern const struct kern kern_avx2, kern_avx2_bf16, kern_avx512, kern_avx512_bf16, kern_bf16;

#endif
