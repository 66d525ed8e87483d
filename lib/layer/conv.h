/* conv.h - 2-D convolution, by products over the pixels where they lie
 *
 * What     out[n, y, x, :] = act(sum over the window of W . in + bias + residual), zeros
 *          outside.  No column matrix of the picture is made where the kernel takes rows
 *          by pointer.
 * Source   torch.nn.Conv2d: W is [co, ci, y, x]; cross-correlation.
 * Shapes   in [n, Y, X, ci], out and residual [n, Y', X', co], contiguous, f32;
 *          Y' = (Y + 2 pad - side) / stride + 1; pad, not 2 pad, with `behind` (taming's Downsample).
 * Aliasing residual may be out; in may not.
 * Numbers  As linear.h: no bit depends on n or the threads.
 * Threads  conv_run splits itself over c->pool.
 */
#ifndef UNCLIP_CONV_H
#define UNCLIP_CONV_H

#include "lib/layer/linear.h"

struct conv {
    size_t in, out;              /* channels */
    size_t side, stride, pad;    /* the window, any side; zeros around the input */
    bool behind;                 /* set by the caller: the zeros are behind the last row and column only */
    const float *bias;           /* [co] or NULL */
    const void *packed;
    bool winograd;               /* set by who allows it: 3x3 in bf16 by winograd.h, faster and less exact */
};

/* Pack W [co, ci, side, side], any dtype and strides, each output channel times scale[co] (a
 * batch norm folded in; NULL: as it is); bias [co] or NULL must stay. */
int conv_pack(struct conv *k, const struct tensor *w, const float *scale, const float *bias,
              size_t stride, size_t pad, const struct compute *c, struct arena *keep, struct err *e);

/* The same over weights that were packed before. */
struct conv conv_packed(const struct tensor *w, const float *bias, size_t stride, size_t pad, const void *packed);

size_t conv_scratch(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x);

void conv_run(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x,
              const float *in, float *out, enum act act, const float *residual, void *scratch);

/* Some rows of one picture, with the same bits: in [Y, X, ci] holds all rows that the windows touch, those
 * outside the picture as zeros; out [(Y - side) / stride + 1, X', co]. */
size_t conv_band_scratch(const struct conv *k, const struct compute *c, size_t y, size_t x);

/* again: scratch is as the last band of the same convolution left it.  Bands of more than one begin at even rows. */
void conv_run_band(const struct conv *k, const struct compute *c, size_t y, size_t x, const float *in, float *out,
                   enum act act, const float *residual, bool again, void *scratch);

#endif
