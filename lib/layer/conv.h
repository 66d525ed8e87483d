/* conv.h - 2-D convolution, by products over the pixels where they are stored
 *
 * What     out[n, y, x, :] = act(sum over the window of W . in + bias + residual), with zeros
 *          outside the feature map.  Kernels that take rows by pointer need no column matrix
 *          (im2col).
 * Source   torch.nn.Conv2d: W is [co, ci, y, x]; cross-correlation.
 * Shapes   in [n, Y, X, ci], out and residual [n, Y', X', co], contiguous, f32;
 *          Y' = (Y + 2 pad - side) / stride + 1; pad, not 2 pad, with `behind` (taming's Downsample).
 * Aliasing residual may be out; in may not be out.
 * Numbers  As in linear.h, no bit depends on n or the threads.
 * Threads  conv_run splits itself over c->pool.
 */
#ifndef UNCLIP_CONV_H
#define UNCLIP_CONV_H

#include "lib/layer/linear.h"

struct conv {
    size_t in, out;              /* channels */
    size_t side, stride, pad;    /* the window, any side; zeros around the input */
    bool behind;                 /* set by the caller: pad only after the last row and column, not before the first */
    const float *bias;           /* [co] or NULL */
    const void *packed;
    bool winograd;               /* set by the caller that allows it: 3x3 by winograd.h, faster and less exact */
};

/* Pack W [co, ci, side, side], any dtype and strides, each output channel times scale[co] (a
 * batch norm folded in; NULL: unscaled).  bias is [co] or NULL and must stay. */
int conv_pack(struct conv *k, const struct tensor *w, const float *scale, const float *bias,
              size_t stride, size_t pad, const struct compute *c, struct arena *keep, struct err *e);

/* A convolution over weights that conv_pack packed before. */
struct conv conv_packed(const struct tensor *w, const float *bias, size_t stride, size_t pad, const void *packed);

size_t conv_scratch(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x);

void conv_run(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x,
              const float *in, float *out, enum act act, const float *residual, void *scratch);

/* A band: some rows of one feature map, with the bits that conv_run gives for them.  in [Y, X, ci] holds all rows
 * that the windows touch, with zeros for rows outside the feature map; out [(Y - side) / stride + 1, X', co]. */
size_t conv_band_scratch(const struct conv *k, const struct compute *c, size_t y, size_t x);

/* again: scratch is unchanged since the last band of the same convolution.  All bands begin at even rows. */
void conv_run_band(const struct conv *k, const struct compute *c, size_t y, size_t x, const float *in, float *out,
                   enum act act, const float *residual, bool again, void *scratch);

#endif
