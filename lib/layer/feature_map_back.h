/* feature_map_back.h - backward passes of norm, activation, resampling, convolution and attention on feature maps
 *
 * What     feature_map_back is the backward pass of feature_map_apply: y = resample(act(norm(x))), with a GroupNorm.
 *
 *              repeated pixels   a pixel gets the sum of the gradients of its 2 x 2 copies
 *              activation        da = dy act'(u), with u = norm(x)
 *              GroupNorm         dx = r (g da - mean(g da) - h mean(g da h)), with h = (x - mean(x)) r, r = 1 / std(x), the
 *                                means over the pixels and channels of a group
 *
 *          feature_conv_back is the backward pass of feature_conv, which is feature_map_apply and then a convolution.
 *          pixel_attention_back is the backward pass of pixel_attention_run without context.
 * Source   The chain rule, backwards through feature_map.h, feature_conv.h and pixel_attention.h.
 * Shapes   x, dx and add [N, Y, X, C]; dy [N, Y', X', C] of feature_map_back, [N, Y', X', co] of feature_conv_back.
 * Aliasing dx must not overlap any input.  add may be NULL, or dy if their shapes are equal.
 * Errors   The functions return -1 if the arena is too small.
 * Numbers  Sums over pixels are in f64, in a fixed order: no bit depends on threads or on N.
 * Memory   feature_map_back takes 257 C floats for each thread, and 32 C bytes for each 256 pixels.  feature_conv_back takes
 *          as much as feature_conv, and a feature map [N, Y', X', ci].  pixel_attention_back takes seven floats for each
 *          float of x, and the scratch of attention_back.
 * Threads  The work is split over blocks of 256 pixels.
 */
#ifndef UNCLIP_FEATURE_MAP_BACK_H
#define UNCLIP_FEATURE_MAP_BACK_H

#include "lib/layer/feature_conv.h"
#include "lib/layer/pixel_attention.h"

/* Computes dx = add + the gradient with respect to x, the only input of p.  g is NULL without a norm.  g->before and g->film
 * must be NULL. The resampling is RESAMPLE_NONE or RESAMPLE_UP2. */
int feature_map_back(const struct feature_map *p, const struct feature_map_norm *g, enum act act, enum resample r,
                     const struct compute *c, const float *dy, const float *add, float *dx, struct arena scratch);

/* Computes dx = add + the gradient with respect to x, for y = v(resample(act(norm(x)))) with the convolution v.  `turned` is
 * the result of conv_turn for v. */
int feature_conv_back(const struct conv *turned, const struct feature_map *p, const struct feature_map_norm *g,
                      enum act act, enum resample r, size_t band, const struct compute *c,
                      const float *dy, const float *add, float *dx, struct arena scratch);

/* The transposed matrices of a pixel_attention. */
struct pixel_attention_turned {
    struct linear qkv, out;
};

int pixel_attention_turn(struct pixel_attention_turned *u, const struct pixel_attention *b, const struct compute *c,
                         struct arena *keep, struct err *e);

/* Computes dx, the gradient with respect to x, the input of pixel_attention_run. */
int pixel_attention_back(const struct pixel_attention *b, const struct pixel_attention_turned *u, const struct compute *c,
                         size_t n, size_t y, size_t w, const float *x, const float *dy, float *dx, struct arena scratch);

#endif
