/* pixel_attention.h - attention between the pixels of a feature map, the attention block of convolutional networks
 *
 * What     h += out(attention(q, [context; k], [context; v])) with q, k, v = qkv(GroupNorm(h)); the pixels of a
 *          feature map are its tokens, in row-major order.  context is optional: keys and values of a text.
 * Source   Dhariwal and Nichol 2021, arXiv:2105.05233 (AttentionBlock of guided-diffusion); Esser et al. 2021,
 *          arXiv:2012.09841 (AttnBlock of taming-transformers: one head, q, k, v and out are 1x1 convolutions).
 * Shapes   h [N, Y, X, C], in place; qkv [3 C, C] with q above k above v; out [C, C].
 * Errors   pixel_attention_run returns 0, or -1 if the arena is too small.
 * Memory   Scratch holds four floats for each float of h, and the scratch of attention_run or linear_run.
 * Numbers  As in attention.h, no bit depends on N or the threads.
 */
#ifndef UNCLIP_PIXEL_ATTENTION_H
#define UNCLIP_PIXEL_ATTENTION_H

#include "lib/layer/attention.h"
#include "lib/layer/bind.h"
#include "lib/layer/feature_map.h"

struct pixel_attention {
    size_t c, heads;
    struct gain norm;
    size_t groups;    /* number of groups of the norm */
    float eps;
    struct linear qkv, out;
};

/* Replaces h by the formula at the top.  `context` is NULL, or gives for each of the n feature maps keys and values
 * that come before those of the pixels. */
int pixel_attention_run(const struct pixel_attention *b, const struct compute *k, size_t n, size_t y, size_t x, float *h,
                        const struct attention_keys *context, struct arena scratch);

#endif
