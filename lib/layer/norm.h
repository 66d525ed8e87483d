/* norm.h - layer normalisation
 *
 * What     y = (x - mean) / sqrt(var + eps) * g + b over the last axis, with the biased variance.
 * Source   Ba et al. 2016, arXiv:1607.06450 (torch.nn.LayerNorm).
 * Shapes   x [m, d] with row stride ldx, y [m, d] with row stride ldy; g, b [d].
 * Aliasing y may be x when the strides are equal.
 * Numbers  Mean and variance are computed in f32, or f64 in the C kernels, in two passes.  The bytes of a row
 *          depend on that row only.
 * Threads  Split over rows.
 */
#ifndef UNCLIP_NORM_H
#define UNCLIP_NORM_H

#include "lib/layer/linear.h"

void layer_norm(const struct compute *c, size_t m, size_t d, const float *x, size_t ldx,
                const float *g, const float *b, float eps, float *y, size_t ldy);

/* Computes dx [m, d] = add + the gradient at x, from the gradient dy at y.  All have row stride d.  add is NULL, or may
 * be dx; dx may be dy or x. */
void layer_norm_back(const struct compute *c, size_t m, size_t d, const float *x, const float *g, float eps,
                     const float *dy, const float *add, float *dx);

#endif
