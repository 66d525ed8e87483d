/* vit.h - the Vision Transformer image tower of CLIP
 *
 * What     The patches of all images go through one matrix product.  The class token and the positions are added,
 *          then come ln_pre and the layers.  ln_post and the projection read the class token alone.
 * Source   Dosovitskiy et al. 2021, arXiv:2010.11929; openai/CLIP @d05afc4 clip/model.py
 *          VisionTransformer.
 * Shapes   images [n, 3, S, S], embed [n, E], f32.  features is NULL, or [n, D]: the class token after ln_post.
 *          Token 0 is the class token.  Patch (y, x) is token 1 + y * (S / patch) + x.  The vector of a patch is
 *          ordered by channel, then row, then column.
 * Numbers  The last layer computes the class token's row only, because nothing reads the others.
 *          bf16: each channel's mean is subtracted from a patch before the product, and the means are multiplied
 *          by the sums of the filters in f32.  Without this, pixels of one colour are all rounded alike, and their
 *          errors add up in every patch: the least cosine of 26 drawings with the small model was 0.99974, and is
 *          now 0.99999 (bench/NOTES.md).
 * Errors   vit_bind leaves its error in b (bind.h).  vit_run cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_VIT_H
#define UNCLIP_VIT_H

#include "lib/net/clip_bind.h"

struct vit {
    size_t image, patch, tokens, width, embed;    /* S, p, 1 + (S / p)^2, D, E */
    float eps;
    const float *class_token, *position;          /* [D], [T, D] */
    struct linear patches, projection;
    const float *sums;                            /* [3, D]: the sums of the filters by channel; NULL in f32 */
    struct gain ln_pre, ln_post;
    struct transformer blocks;
};

void vit_bind(struct vit *v, const struct clip_vision_config *config,
              const struct clip_family *names, struct bind *b);
/* Bytes of scratch for n images. */
size_t vit_scratch(const struct vit *v, const struct compute *c, size_t n);
/* Returns how many of n images one pass computes.  vit_run runs pass after pass.  No result depends on it. */
size_t vit_pass(const struct vit *v, size_t n);

/* What a pass of n images leaves for vit_back (vit_back.h). */
struct vit_keep {
    float *pre;                        /* [n * T, D]: the input of ln_pre */
    struct transformer_keep blocks;
    float *post;                       /* [n, D]: the input of ln_post */
};

/* Computes one pass of n <= vit_pass(v, n) images, and stores in k's arrays what vit_back needs.  scratch is as large
 * as for vit_run. */
void vit_run_keep(const struct vit *v, const struct compute *c, size_t n, const float *images, float *embed,
                  const struct vit_keep *k, void *scratch);

void vit_run(const struct vit *v, const struct compute *c, size_t n, const float *images,
             float *embed, float *features, void *scratch);

#endif
