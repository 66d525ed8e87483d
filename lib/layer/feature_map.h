/* feature_map.h - what a U-Net does to feature maps between its convolutions
 *
 * What     Group normalisation is computed as one multiplication and one addition per channel.
 *          feature_map_apply applies these together with SiLU and a resampling by two, over the channels of two
 *          feature maps (hidden and skip).  The bicubic and the bilinear enlargement are those in front of the
 *          upsamplers.
 * Source   Wu and He 2018, arXiv:1803.08494 (torch.nn.GroupNorm); openai/guided-diffusion unet.py
 *          ResBlock; torch.nn.functional.interpolate(mode="bicubic", antialias=True), (mode="bilinear").
 * Shapes   Feature maps [N, Y, X, C] f32, channels last; mul, add [N, C].
 * EASY TO GET WRONG
 *          Groups run over the channels of [hidden, skip] together; one group may hold channels of both.
 *          In a block that resamples, norm and SiLU come first.  The bicubic filter has a = -0.5.  Its
 *          taps outside the image are dropped and the others renormalised; the result is not clamped.
 * Numbers  The statistics are summed in f64, in a fixed order: no bit depends on threads or on N.
 * Threads  Split over stretches of pixels, or rows.
 */
#ifndef UNCLIP_FEATURE_MAP_H
#define UNCLIP_FEATURE_MAP_H

#include "lib/layer/linear.h"

/* Two feature maps that are read as a single feature map with the channels of x[0], then those of x[1].  x[1] may be
 * NULL. */
struct feature_map {
    const float *x[2];
    size_t c[2];
    size_t n, y, w;    /* N, rows, columns */
};

/* A GroupNorm.  The time embedding of a block acts before the norm (added to x) or after the norm (FiLM: scale and
 * shift). */
struct feature_map_norm {
    const float *g, *b;      /* [C] */
    size_t groups;
    float eps;
    const float *before;     /* [N, C], added to x before the norm, or NULL */
    const float *film;       /* [N, 2 C] or NULL: the result is norm * (1 + film[0..C)) + film[C..2C) */
};

size_t feature_map_norm_scratch(const struct feature_map *p);

/* Computes mul and add [N, C] such that x * mul + add is the normalised feature map. */
void feature_map_norm(const struct feature_map *p, const struct feature_map_norm *g, const struct compute *c,
                  float *mul, float *add, void *scratch);

/* Computes the mean of each group and 1 / its standard deviation, each [N, groups], with the scratch of feature_map_norm. */
void feature_map_moments(const struct feature_map *p, const struct feature_map_norm *g, const struct compute *c, double *mean,
                         double *rstd, void *scratch);

enum resample { RESAMPLE_NONE, RESAMPLE_UP2, RESAMPLE_DOWN2 };    /* UP2 repeats pixels; DOWN2 averages 2x2 pixels */

/* Computes out [N, Y', X', C] = resample(act(x * mul + add)); mul and add may both be NULL. */
void feature_map_apply(const struct feature_map *p, const float *mul, const float *add, enum act act,
                  enum resample r, const struct compute *c, float *out);

/* Computes rows [from, to) of feature map n of feature_map_apply's result, and `halo` more rows on either side.  Rows
 * outside the feature map are zeros.  A convolution over rows [from, to) reads this result. */
void feature_map_apply_band(const struct feature_map *p, const float *mul, const float *add, enum act act, enum resample r,
                       const struct compute *c, size_t n, size_t from, size_t to, size_t halo, float *out);

/* Enlarge `in` [N, Y, X, C] to `out` [N, Yo, Xo, C]; Yo >= Y, Xo >= X.  Return 0, or -1 if scratch is too small.
 * feature_map_bilinear repeats the pixels at the edges. */
int feature_map_bicubic(const float *in, size_t n, size_t y, size_t x, size_t ch, size_t yo, size_t xo,
                    float *out, struct arena scratch);
int feature_map_bilinear(const float *in, size_t n, size_t y, size_t x, size_t ch, size_t yo, size_t xo,
                    float *out, struct arena scratch);

/* feature_map_channels_last converts [N, C, Y, X], the order of torch and of records, to [N, Y, X, C].
 * feature_map_channels_first converts back. */
void feature_map_channels_last(const float *in, size_t n, size_t ch, size_t pixels, float *out);
void feature_map_channels_first(const float *in, size_t n, size_t ch, size_t pixels, float *out);

#endif
