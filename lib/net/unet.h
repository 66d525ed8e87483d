/* unet.h - the U-Net of guided diffusion: Karlo's 64-pixel decoder and its upsamplers
 *
 * What     One network, parametrised: levels of residual blocks with a skip stack, attention over pixels
 *          and context at some levels, a residual block for each halving and doubling.
 *              h = conv_in(x); push
 *              for each level: layers x { h = res(h); [h = attention(h)]; push }; halve; push
 *              h = res(h); [h = attention(h)]; h = res(h)
 *              for each level, upwards: layers + 1 x { h = res([h, pop]); [h = attention(h)] }; double
 *              out = conv_out(SiLU(GroupNorm(h)))
 * Source   Dhariwal and Nichol 2021, arXiv:2105.05233; openai/guided-diffusion unet.py; Ramesh et al.
 *          2022, arXiv:2204.06125; diffusers' UNet2DConditionModel and UNet2DModel as Karlo configures them.
 * Shapes   x, out [N, Y, X, C] f32, channels last, Y and X divisible by 2^(levels-1); class_add [N, 4 C0];
 *          context [L, Dc] for each of the N.
 * EASY TO GET WRONG
 *          The decoder scales and shifts after norm2 (film), the upsamplers add before it.  SiLU acts on the
 *          time embedding in each block, after the class embedding was added.  Context keys come first.
 *          Original checkpoints interleave q, k and v per head.
 * Numbers  within 1e-6 of the largest output of diffusers in f32 (tests/unit/unet.c).
 * Memory   The skip stack, two feature maps that the way up uses in turns, one between two convolutions, and a
 *          band of the rows that a convolution reads: some 840 MiB in Karlo's upsampler at 256 pixels.
 * Threads  Those of the kernels.  No bit depends on them, on N or on the bands.
 */
#ifndef UNCLIP_UNET_H
#define UNCLIP_UNET_H

#include "lib/layer/attention.h"
#include "lib/layer/bind.h"
#include "lib/layer/conv.h"
#include "lib/layer/feature_map.h"

enum { UNET_LEVELS = 8 };
enum unet_family { UNET_DIFFUSERS, UNET_ORIGINAL };

struct unet_config {
    enum unet_family family;
    const char *prefix;             /* of every tensor, "" in diffusers' files */
    size_t in, out;                 /* channels */
    size_t levels, layers;          /* L; residual blocks per level */
    size_t width[UNET_LEVELS];      /* channels of each level */
    bool attention[UNET_LEVELS];    /* after each residual block of that level */
    bool mid_attention;
    size_t head;                    /* channels of a head, in attention */
    size_t mid_head;
    size_t context;                 /* Dc; 0: no context */
    size_t groups;                  /* of GroupNorm */
    float eps;
    bool film;                      /* resnet_time_scale_shift "scale_shift" */
    size_t band;                    /* floats that a convolution reads at once; 0: what is fast */
};

struct unet;

/* What the shapes of a U-Net with the original names tell; files of diffusers have a config instead.  Shapes do
 * not tell the heads, which are 64 wide in all published files, nor groups and eps, which are 32 and 1e-5. */
int unet_config_from_weights(struct unet_config *c, const struct weights *ws, const char *prefix, struct err *e);

struct unet *unet_bind(const struct unet_config *c, const struct weights *ws, const struct compute *k,
                       struct arena *keep, struct err *e);

/* Keys and values of a context [len, Dc] in every attention: computed once, used by every step. */
struct unet_context {
    size_t len;
    float *const *kv;    /* [attentions] of [len, 2 C] */
};

int unet_context(const struct unet *u, const struct compute *k, const float *context, size_t len,
                 struct unet_context *out, struct arena *keep, struct err *e);

/* One forward.  context: N pointers, or NULL.  -1 only when scratch is too small. */
int unet_run(const struct unet *u, const struct compute *k, size_t n, size_t y, size_t x, const float *in,
             int t, const float *class_add, const struct unet_context *const *context, float *out,
             struct arena scratch, struct err *e);

const struct unet_config *unet_config(const struct unet *u);

#endif
