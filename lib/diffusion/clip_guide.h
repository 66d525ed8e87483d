/* clip_guide.h - a decoder guided by a noised CLIP
 *
 * What     Computes the gradient that sampler.h asks a decoder_guide for: scale * d(100 cos)/dx of the noisy pictures
 *          and one text.
 * Source   Nichol et al. 2021, arXiv:2112.10741, section 2.4; openai/glide-text2im @69b5307 notebooks/clip_guided.ipynb,
 *          whose scale is 3.
 * EASY TO GET WRONG
 *          The gradient is taken at the noisy state before the step, with the timestep of the network.
 * Errors   -1 and a message: memory is exhausted, or the noised CLIP does not know the timestep.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_CLIP_GUIDE_H
#define UNCLIP_CLIP_GUIDE_H

#include "lib/diffusion/sampler.h"
#include "lib/net/noised_clip.h"

struct clip_guide {
    const struct noised_clip *clip;
    const struct compute *c;
    const float *text;    /* [E], from noised_clip_text */
    float scale;
};

/* The `gradient` of a decoder_guide, whose ctx is a struct clip_guide. */
int clip_guide_gradient(void *ctx, size_t n, const float *x, int t, float *g, struct arena scratch, struct err *e);

#endif
