/* noised_clip.h - GLIDE's noised CLIP, and the gradient that guides a diffusion
 *
 * What     A CLIP whose image tower sees noisy pictures of 64 x 64 pixels and knows their timestep: token 0 is a row of a
 *          table instead of the class token.  The towers are those of clip.h: a Vision Transformer (vit.h) and a text
 *          transformer (clip.h), with GELU, and without a bias of the keys.
 *          noised_clip_gradient computes scale * d(100 cos)/dx for noisy pictures x.
 * Source   Nichol et al. 2021, arXiv:2112.10741, section 4.2; openai/glide-text2im @69b5307 clip/encoders.py,
 *          clip/model_creation.py (cond_fn).
 * Shapes   x and gradient [n, 3, S, S], embeddings [n, E], f32; tokens are CLIP's, with their start and end.
 * Units    x in about [-1, 1], as the U-Net sees it; timesteps are those of the network before respacing, from 0 on.
 * EASY TO GET WRONG
 *          x is the noisy state, not the predicted picture.  cos is z_t . z_i / ((|z_t| + 1e-12) (|z_i| + 1e-12)).
 *          A text is pooled at its last token.
 * Numbers  f32 weights, against the reference in f32 (tests/unit/noised_clip.c): embeddings and gradients within 4e-6
 *          of their largest value.  No byte depends on n or the threads.
 * Errors   NULL or -1 and a message: a tensor is missing, has another shape or is not used; memory is exhausted.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_NOISED_CLIP_H
#define UNCLIP_NOISED_CLIP_H

#include "lib/layer/transformer_back.h"
#include "lib/net/clip.h"

struct noised_clip;

/* Return true if the tensors are those of an image encoder or of a text encoder. */
bool noised_clip_is_image(const struct weights *ws);
bool noised_clip_is_text(const struct weights *ws);

/* Binds both encoders, whose weights are in two files.  `head` is the width of a head, which shapes do
 * not tell.  0 means 64, as in the published files, or the whole width of a narrower tower.  */
struct noised_clip *noised_clip_bind(const struct weights *image, const struct weights *text, size_t head, const struct compute *k,
                                     struct arena *keep, struct err *e);

/* Return S, E, the number of timesteps, the number of token ids, and the number of places of a text. */
size_t noised_clip_side(const struct noised_clip *c);
size_t noised_clip_embed(const struct noised_clip *c);
size_t noised_clip_steps(const struct noised_clip *c);
size_t noised_clip_vocab(const struct noised_clip *c);
size_t noised_clip_context(const struct noised_clip *c);

/* Embeds n texts of at most noised_clip_context tokens.  The caller has checked len and tokens.  embed [n, E] is not
 * scaled to length 1. */
size_t noised_clip_text_scratch(const struct noised_clip *c, size_t n);
void noised_clip_text(const struct noised_clip *c, const struct compute *k, size_t n, const int *const tokens[],
                      const size_t len[], float *embed, void *scratch);

/* Embeds n noisy pictures at timestep t and computes the gradient by the pictures.  texts [n, E] are the results
 * of noised_clip_text.  embed and cosines [n] receive the embeddings and the cosines. */
size_t noised_clip_scratch(const struct noised_clip *c, const struct compute *k, size_t n);
void noised_clip_gradient(const struct noised_clip *c, const struct compute *k, size_t n, const float *x, size_t t,
                          const float *texts, float scale, float *gradient, float *embed, float *cosines, void *scratch);

#endif
