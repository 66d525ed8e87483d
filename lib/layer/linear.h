/* linear.h - y = act(x W^T + b) + residual, the linear layer
 *
 * What     A weight matrix is packed once, at load, into the layout that the kernel in use
 *          takes (or is used where it is stored), then applied to any number of rows.
 * Source   torch.nn.Linear: W is [out, in] = [n, k], row-major.
 * Shapes   x [m, k] with row stride ldx, y [m, n] with row stride ldy, bias [n],
 *          residual [m, n] with row stride ldy; all f32.
 * Aliasing residual may be y itself (y += ...); x must not overlap y.
 * Errors   linear_pack fails when the parts do not fit together or memory runs out.
 *          linear_run cannot fail: linear_scratch returns the size of its scratch, which
 *          the caller takes in advance.
 * Numbers  Sums over k are computed in f32.  bf16 kernels multiply bf16 inputs, and sum in
 *          f32 too.  The order of the additions for one element of y depends on k and the
 *          kernel only.  It does not depend on m, on the element's place or on the threads,
 *          so batches and threads do not change any bit of y.
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

/* Packs W into l.  W is given as `parts` matrices [n_i, k] one above the other (q, k, v of an attention), of any
 * dtype and strides.  b holds their biases [n_i], or is NULL.  Packing is split over c->pool.
 * Memory that stays is taken from *keep; f32 weights that need no packing stay mapped. */
int linear_pack(struct linear *l, size_t parts, const struct tensor w[], const struct tensor b[],
                const struct compute *c, struct arena *keep, struct err *e);

/* Packs one view of any number of axes as the matrix [shape[0], all other axes in C order], such as a convolution's
 * weights.  Row i is multiplied by scale[i], which folds in a batch norm; scale may be NULL.  The bias is not
 * copied. */
int linear_pack_view(struct linear *l, const struct tensor *w, const float *scale, const float *bias,
                     const struct compute *c, struct arena *keep, struct err *e);

/* Checks the parts as linear_pack does, without packing, and sets n and k of l for all parts together. */
int linear_shape(struct linear *l, size_t parts, const struct tensor w[], struct err *e);

/* Packs the transpose of l into t, for gradients: dx = dy W is linear_run of t.  The numbers are those of l as packed,
 * so that bf16 weights are not rounded twice.  l is [n, taps * k], one matrix W_i [n, k] for each tap of a window; t is
 * [k, taps * n] and holds the transposed matrices in the opposite order, which is a convolution turned by 180 degrees.
 * taps is 1 for a plain matrix.  t has no bias. */
int linear_transpose(struct linear *t, const struct linear *l, size_t taps, const struct compute *c,
                     struct arena *keep, struct err *e);

/* Returns the bytes of scratch that linear_run needs for m rows.  A larger m never needs less scratch.  The caller
 * aligns the block to ARENA_ALIGN. */
size_t linear_scratch(const struct linear *l, const struct compute *c, size_t m);

/* Computes y = act(x W^T + bias) + residual for m rows; residual may be NULL. */
void linear_run(const struct linear *l, const struct compute *c, size_t m,
                const float *x, size_t ldx, float *y, size_t ldy, enum act act,
                const float *residual, void *scratch);

/* Computes the product as linear_run does, and y from the product as `out` says (kern.h, act_last included).  out->bias
 * is used instead of l->bias. */
void linear_run_out(const struct linear *l, const struct compute *c, size_t m, const float *x,
                    size_t ldx, const struct kern_out *out, void *scratch);

#endif
