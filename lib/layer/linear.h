/* linear.h - y = act(x W^T + b) + residual, the product that everything is made of
 *
 * What     A weight matrix is packed once, at load, into whatever layout the kernel
 *          in use wants (or is left where it is), then applied to any number of rows.
 * Source   torch.nn.Linear: W is [out, in] = [n, k], row-major.
 * Shapes   x [m, k] with row stride ldx, y [m, n] with row stride ldy, bias [n],
 *          residual [m, n] with row stride ldy; all f32.
 * Aliasing residual may be y itself (y += ...); x must not overlap y.
 * Errors   linear_pack fails when the parts do not fit together or memory runs out.
 *          linear_run cannot fail: scratch is sized by linear_scratch and taken by
 *          the caller once, at plan time.
 * Numbers  Sums over k in f32 (bf16 kernels: products of bf16 inputs, sums in f32).
 *          The order of the additions for one element of y depends on k and the
 *          kernel only - never on m, on the element's place, or on the threads - so
 *          batching and threading do not change one bit.
 * Threads  linear_run splits itself over c->pool.
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
    const void *packed;    /* layout: the kernel's own */
};

/* Pack W, given as `parts` matrices one above the other (q, k, v of an attention), all
 * [n_i, k], any dtype and strides; b: their biases [n_i], or NULL.  The pool is used.
 * Memory that stays is taken from *keep; f32 weights that need no packing stay mapped. */
int linear_pack(struct linear *l, size_t parts, const struct tensor w[], const struct tensor b[],
                const struct compute *c, struct arena *keep, struct err *e);

/* The same for one view of any number of axes, seen as [shape[0], all others in C order], row i
 * times scale[i] (NULL: as it is): a convolution's weights with a batch norm folded in.  The
 * bias stays where it is. */
int linear_pack_view(struct linear *l, const struct tensor *w, const float *scale, const float *bias,
                     const struct compute *c, struct arena *keep, struct err *e);

/* What linear_pack checks first: l becomes [n, k] of all parts, with nothing packed. */
int linear_shape(struct linear *l, size_t parts, const struct tensor w[], struct err *e);

/* Bytes of scratch that linear_run needs for m rows; never less for more rows.  The block must be
 * aligned to ARENA_ALIGN. */
size_t linear_scratch(const struct linear *l, const struct compute *c, size_t m);

/* y = act(x W^T + bias) + residual, for m rows; residual may be NULL. */
void linear_run(const struct linear *l, const struct compute *c, size_t m,
                const float *x, size_t ldx, float *y, size_t ldy, enum act act,
                const float *residual, void *scratch);

/* The same to where `out` says, act_last included; out->bias counts, l->bias does not. */
void linear_run_out(const struct linear *l, const struct compute *c, size_t m, const float *x,
                    size_t ldx, const struct kern_out *out, void *scratch);

#endif
