/* prior.h - the diffusion prior: from a text's embedding to an image's
 *
 * What     A causal transformer over [text states; text embedding; timestep; noisy image
 *          embedding; a learned query], whose last row predicts the clean image embedding.
 *          All rows up to the text embedding depend on the text alone, because the attention is
 *          causal: prior_prefill computes them once, for all steps and all samples of a text.
 *          Guidance is two rows of a batch, one with the empty text's prefix.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 2.2; kakaobrain/karlo @3c68a50 and
 *          diffusers' PriorTransformer (tensor names).
 * Shapes   states [tokens, E], embed [E], x and out [n, E]: x and out in the normalised space of
 *          the prior (prior_denormalise leaves it).  The text's padding is not given: masked
 *          rows have weight 0 in the reference too.
 * Numbers  f32: within 2e-5 of the largest output of diffusers.  A step's bytes do not depend
 *          on the batch, nor on whether the prefix came from a cache.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_PRIOR_H
#define UNCLIP_PRIOR_H

#include "lib/layer/transformer.h"

struct prior_config {
    size_t embed, width, heads, layers;    /* E, D */
    size_t context;                        /* text states at most: 77 */
};

struct prior;

struct prior *prior_bind(const struct prior_config *config, const struct weights *ws,
                         const struct compute *c, struct arena *keep, struct err *e);

/* The shapes tell everything except the heads. */
int prior_config_from_weights(struct prior_config *config, size_t heads, const struct weights *ws,
                              struct err *e);

/* An empty prefix for a text of `tokens` tokens, with memory from a.  -1 when a is full. */
int prior_cache(const struct prior *p, size_t tokens, struct transformer_cache *cache, struct arena *a);

/* Bytes of scratch for prefixes of at most `tokens` tokens and steps of at most n rows. */
size_t prior_scratch(const struct prior *p, size_t tokens, size_t n);

/* Fill a cache that is empty and was made for as many tokens; tokens <= context. */
void prior_prefill(const struct prior *p, const struct compute *c, size_t tokens, const float *states,
                  const float *embed, struct transformer_cache *cache, void *scratch);

/* out = the prediction of x_0 from x at timestep t; past[i]: the prefix of row i. */
void prior_step(const struct prior *p, const struct compute *c, size_t n,
                const struct transformer_cache *const past[], float t, const float *x, float *out,
                void *scratch);

/* x = x * std + mean, for n rows: the image embedding of CLIP, once after the last step. */
void prior_denormalise(const struct prior *p, size_t n, float *x);

#endif
