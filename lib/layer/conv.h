/* conv.h - 2-D convolution, computed as matrix products that read the pixels where they are stored
 *
 * What     out[n, y, x, :] = act(sum over the window of W . in + bias + residual), with zeros
 *          outside the feature map.  Kernels that take rows by pointer need no column matrix
 *          (im2col).
 * Source   torch.nn.Conv2d: W is [co, ci, y, x]; cross-correlation.
 * Shapes   in [n, Y, X, ci], out and residual [n, Y', X', co], contiguous, f32;
 *          Y' = (Y + 2 pad - side) / stride + 1; with `behind` (taming's Downsample) the formula has
 *          pad instead of 2 pad.
 * Aliasing residual may be out; in may not be out.
 * Numbers  As in linear.h, no bit depends on n or the threads.
 * Threads  conv_run splits itself over c->pool.
 */
#ifndef UNCLIP_CONV_H
#define UNCLIP_CONV_H

#include "lib/layer/linear.h"

struct conv {
    size_t in, out;              /* input and output channels */
    size_t side, stride, pad;    /* side of the window; step of the window; zeros around the input */
    bool behind;                 /* set by the caller to pad only after the last row and column */
    const float *bias;           /* [co] or NULL */
    const void *packed;
    bool winograd;               /* set by the caller to allow winograd.h for 3x3, which is faster and less exact */
};

/* Packs W [co, ci, side, side], of any dtype and strides, into k.  The weights of each output channel are multiplied
 * by scale[co], which folds in a batch norm; scale may be NULL.  bias is [co] or NULL and must stay in memory.
 * Returns 0, or -1 with a message. */
int conv_pack(struct conv *k, const struct tensor *w, const float *scale, const float *bias,
              size_t stride, size_t pad, const struct compute *c, struct arena *keep, struct err *e);

/* Returns a convolution whose weights `packed` were packed by conv_pack before.  w gives the shape only. */
struct conv conv_packed(const struct tensor *w, const float *bias, size_t stride, size_t pad, const void *packed);

/* Packs into t the backward convolution of k, which turns the gradient at k's output, before activation and residual,
 * into the gradient at k's input.  The filters of t are those of k, turned by 180 degrees, with input and output
 * channels swapped.  t has no bias.  k must have stride 1, an odd side, pad = side / 2, and zeros on all sides (not
 * `behind`). */
int conv_turn(struct conv *t, const struct conv *k, const struct compute *c, struct arena *keep, struct err *e);

/* Packs into t a matrix [side * side * ci, co], for convolutions with a stride.  The product of this matrix and one
 * pixel of the gradient at k's result is what that pixel adds to the gradient [y, x, ci] of its window. */
int conv_turn_window(struct linear *t, const struct conv *k, const struct compute *c, struct arena *keep, struct err *e);

size_t conv_scratch(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x);

void conv_run(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x,
              const float *in, float *out, enum act act, const float *residual, void *scratch);

/* Returns the bytes of scratch for conv_run_band, with Y = y and X = x.  A band is some rows of one feature map.
 * conv_run_band computes the same bits as conv_run does for these rows.  in [Y, X, ci] holds all rows that the windows
 * touch, with zeros for rows outside the feature map; out is [(Y - side) / stride + 1, X', co]. */
size_t conv_band_scratch(const struct conv *k, const struct compute *c, size_t y, size_t x);

/* Computes one band.  `again` says that scratch is unchanged since the last band of this convolution.  All bands begin
 * at even rows. */
void conv_run_band(const struct conv *k, const struct compute *c, size_t y, size_t x, const float *in, float *out,
                   enum act act, const float *residual, bool again, void *scratch);

#endif
