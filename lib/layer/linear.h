/* linear.h - y = act(x W^T + b) + residual, the linear layer
 *
 * What     A weight matrix is packed once, at load, into the layout that the kernel in use
 *          takes (or is left where it is), then applied to any number of rows.
 * Source   torch.nn.Linear: W is [out, in] = [n, k], row-major.
 * Shapes   x [m, k] with row stride ldx, y [m, n] with row stride ldy, bias [n],
 *          residual [m, n] with row stride ldy; all f32.
 * Aliasing residual may be y itself (y += ...); x must not overlap y.
 * Errors   linear_pack fails when the parts do not fit together or memory runs out.
 *          linear_run cannot fail: its scratch is sized by linear_scratch, and the caller
 *          takes it once, when it plans.
 * Numbers  Sums over k in f32 (bf16 kernels: products of bf16 inputs, sums in f32).
 *          The order of the additions for one element of y depends on k and the
 *          kernel only.  It does not depend on m, on the element's place or on the threads,
 *          so batches and threads do not change one bit.
 * Threads  linear_run is split over c->pool.
 */
#ifndef UNCLIP_LINEAR_H
#define UNCLIP_LINEAR_H

#include "lib/base/compute.h"
#include "lib/base/pool.h"
#include "lib/base/tensor.h"
#include "lib/kernel/kern.h"

struct linear {
    size_t n, k;
    const float *bias;     /* [n] or NULL */
    const void *packed;    /* in the kernel's layout */
};

/* Pack W, given as `parts` matrices one above the other (q, k, v of an attention), each
 * [n_i, k], of any dtype and strides; b: their biases [n_i], or NULL.  Packing is split over c->pool.
 * Memory that stays is taken from *keep; f32 weights that need no packing stay mapped. */
int linear_pack(struct linear *l, size_t parts, const struct tensor w[], const struct tensor b[],
                const struct compute *c, struct arena *keep, struct err *e);

/* Pack one view of any number of axes as the matrix [shape[0], all other axes in C order], row i
 * times scale[i] (NULL: unscaled): a convolution's weights with a batch norm folded in.  The
 * bias is not copied. */
int linear_pack_view(struct linear *l, const struct tensor *w, const float *scale, const float *bias,
                     const struct compute *c, struct arena *keep, struct err *e);

/* The checks of linear_pack without its packing: l gets n and k of all parts together. */
int linear_shape(struct linear *l, size_t parts, const struct tensor w[], struct err *e);

/* Bytes of scratch that linear_run needs for m rows.  More rows never need less.  The block must be
 * aligned to ARENA_ALIGN. */
size_t linear_scratch(const struct linear *l, const struct compute *c, size_t m);

/* y = act(x W^T + bias) + residual, for m rows; residual may be NULL. */
void linear_run(const struct linear *l, const struct compute *c, size_t m,
                const float *x, size_t ldx, float *y, size_t ldy, enum act act,
                const float *residual, void *scratch);

/* As linear_run, with the epilogue `out` (kern.h), act_last included.  out->bias is used instead of l->bias. */
void linear_run_out(const struct linear *l, const struct compute *c, size_t m, const float *x,
                    size_t ldx, const struct kern_out *out, void *scratch);

#endif
