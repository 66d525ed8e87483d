/* unet.h - the U-Net of guided diffusion: Karlo's 64-pixel decoder and its upsamplers
 *
 * What     One network whose sizes come from a config.  Levels of residual blocks push their results onto a skip
 *          stack.  Some levels have attention over the pixels and a context.  A residual block halves or doubles the
 *          sides between two levels.
 *              h = conv_in(x); push
 *              for each level: layers x { h = res(h); [h = attention(h)]; push }; halve; push
 *              h = res(h); [h = attention(h)]; h = res(h)
 *              for each level, upwards: layers + 1 x { h = res([h, pop]); [h = attention(h)] }; double
 *              out = conv_out(SiLU(GroupNorm(h)))
 * Source   Dhariwal and Nichol 2021, arXiv:2105.05233; openai/guided-diffusion unet.py; Ramesh et al.
 *          2022, arXiv:2204.06125; diffusers' UNet2DConditionModel and UNet2DModel as Karlo configures them.
 * Shapes   in, out [N, Y, X, C] f32, channels last; Y and X divisible by 2^(levels-1).  class_add [N, 4 C0], with C0
 *          the width of the first level.  A context is [L, Dc], and each of the N feature maps has one.
 * EASY TO GET WRONG
 *          The decoder scales and shifts by the time embedding after norm2 (film).  The upsamplers add it before
 *          norm2.  The blocks read SiLU(time embedding + class_add).  In attention the context's keys come before
 *          those of the pixels.  Original checkpoints interleave q, k and v per head.
 * Numbers  Within 1e-6 of the largest output of diffusers in f32 (tests/unit/unet.c).
 * Memory   The skip stack, two feature maps that the way up uses in turns, one between two convolutions, and a
 *          band of the rows that a convolution reads.  Karlo's upsampler needs some 840 MiB at 256 pixels.
 * Errors   NULL or -1, with a message in e: a tensor is missing, has another shape or is not used; the config or the
 *          sides do not fit; memory is exhausted.
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
    const char *prefix;             /* in front of every tensor's name; "" in diffusers' files */
    size_t in, out;                 /* channels */
    size_t levels, layers;          /* levels; residual blocks of a level on the way down */
    size_t width[UNET_LEVELS];      /* channels of each level */
    bool attention[UNET_LEVELS];    /* attention follows each residual block of that level */
    bool mid_attention;             /* attention between the two residual blocks of the middle */
    size_t head;                    /* channels of a head, in attention */
    size_t mid_head;                /* channels of a head, in the middle's attention */
    size_t context;                 /* Dc; 0: no context */
    size_t groups;                  /* of GroupNorm */
    float eps;                      /* of GroupNorm */
    bool film;                      /* the time embedding scales and shifts (diffusers' resnet_time_scale_shift) */
    size_t band;                    /* the most floats that a convolution reads at once; 0: a fast size */
};

struct unet;

/* Read the config of a U-Net with the original names from its tensors' shapes; files of diffusers have a config file
 * instead.  Shapes do not tell the heads, which become 64 wide as in all published files, nor groups and eps, which
 * become 32 and 1e-5. */
int unet_config_from_weights(struct unet_config *c, const struct weights *ws, const char *prefix, struct err *e);

/* Check the config, bind the tensors and pack them. */
struct unet *unet_bind(const struct unet_config *c, const struct weights *ws, const struct compute *k,
                       struct arena *keep, struct err *e);

/* The keys and values of a context [len, Dc] in every attention.  They are computed once and used by every step. */
struct unet_context {
    size_t len;
    float *const *kv;    /* [attentions], each [len, 2 C] */
};

/* Compute the keys and values of a context into *out, with memory from keep. */
int unet_context(const struct unet *u, const struct compute *k, const float *context, size_t len,
                 struct unet_context *out, struct arena *keep, struct err *e);

/* One forward pass over n feature maps `in` of y rows and x columns, at timestep t.  class_add may be NULL.  context is
 * n pointers, or NULL.  Returns 0, or -1 if a side does not fit or scratch is too small. */
int unet_run(const struct unet *u, const struct compute *k, size_t n, size_t y, size_t x, const float *in,
             int t, const float *class_add, const struct unet_context *const *context, float *out,
             struct arena scratch, struct err *e);

const struct unet_config *unet_config(const struct unet *u);

#endif
