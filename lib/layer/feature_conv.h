/* feature_conv.h - a convolution that reads a feature map through a norm, an activation and a resampling
 *
 * What     out = convolution of resample(act(x * mul + add)) + residual.  The input of the convolution is made
 *          in bands of rows, so that a large feature map is never copied as a whole.
 * Source   The blocks of guided-diffusion's U-Net and of the VQGAN (norm, SiLU, convolution).
 * Shapes   As in feature_map.h and conv.h: channels last, f32.
 * Errors   feature_source_norm and feature_conv return 0, or -1 if the arena is too small.
 * Numbers  No bit depends on the size of the bands, on n or on the threads.
 * Threads  The convolution and feature_map_apply split their work over the pool.
 */
#ifndef UNCLIP_FEATURE_CONV_H
#define UNCLIP_FEATURE_CONV_H

#include "lib/layer/conv.h"
#include "lib/layer/feature_map.h"

/* The input of a convolution: feature maps with the norm, activation and resampling to apply. */
struct feature_source {
    struct feature_map p;
    float *mul, *add;    /* [N, C], computed by feature_map_norm, or NULL without a norm */
    enum act act;
    enum resample resample;
    size_t c, y, w;      /* channels, rows and columns after the resampling */
};

struct feature_source feature_source(const struct feature_map *p, enum act act, enum resample resample);

/* Adds a GroupNorm to the source: computes s->mul and s->add, whose memory is taken from *a. */
int feature_source_norm(struct feature_source *s, const struct feature_map_norm *g, const struct compute *k,
                        struct arena *a);

/* Computes out [N, Y', X', Co] by the formula at the top.  residual may be NULL, or out.  `band` is the number of
 * floats of a band of the input, or 0 for a size that is fast.  With a stride of 2, rows and columns must be even. */
int feature_conv(const struct conv *v, const struct feature_source *s, size_t band, const struct compute *k,
                 float *out, const float *residual, struct arena scratch);

#endif
