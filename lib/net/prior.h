/* prior.h - the diffusion prior: from a text's embedding to an image's
 *
 * What     A causal transformer over [text states; text embedding; timestep; noisy image
 *          embedding; a learned query], whose last row predicts the clean image embedding.
 *          The attention is causal, so the rows up to the text embedding depend on the text alone.
 *          prior_prefill computes their keys and values, the prefix, once for all steps and samples of a text.
 *          With guidance a sample has two rows in a batch, and one of them has the prefix of the empty text.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 2.2; kakaobrain/karlo @3c68a50 and
 *          diffusers' PriorTransformer (tensor names).
 * Shapes   states [tokens, E], embed [E], x and out [n, E], all f32.  x and out are in the normalised space of
 *          the prior; prior_denormalise maps them to CLIP's space.  The states of padding tokens are left out,
 *          because the reference masks them.
 * Numbers  f32: within 2e-5 of the largest output of diffusers.  A step's bytes do not depend
 *          on the batch, and they do not depend on whether the prefix came from a cache.
 * Errors   NULL or -1, with a message in e: a tensor is missing, has another shape or is not used; a size is out of
 *          range; memory is exhausted.  prior_prefill and prior_step cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_PRIOR_H
#define UNCLIP_PRIOR_H

#include "lib/layer/transformer.h"

struct prior_config {
    size_t embed, width, heads, layers;    /* embed is E, width is D */
    size_t context;                        /* the most text states: 77 in Karlo */
};

struct prior;

/* The names of a layer's tensors, which the autoregressive prior (ar_prior.h) uses, too. */
extern const struct transformer_names prior_layer_names;

/* Check the config, bind the tensors and pack them into keep. */
struct prior *prior_bind(const struct prior_config *config, const struct weights *ws,
                         const struct compute *c, struct arena *keep, struct err *e);

/* Read everything except the heads from the tensors' shapes. */
int prior_config_from_weights(struct prior_config *config, size_t heads, const struct weights *ws,
                              struct err *e);

/* Make an empty cache for the prefix of a text of `tokens` tokens, with memory from the arena a.  Returns 0, or -1 if
 * the arena is full. */
int prior_cache(const struct prior *p, size_t tokens, struct transformer_cache *cache, struct arena *a);

/* Bytes of scratch for prior_prefill with at most `tokens` tokens, and for prior_step with at most n rows. */
size_t prior_scratch(const struct prior *p, size_t tokens, size_t n);

/* Computes a prefix and stores it in an empty cache, which prior_cache made for `tokens` tokens; tokens <= context. */
void prior_prefill(const struct prior *p, const struct compute *c, size_t tokens, const float *states,
                  const float *embed, struct transformer_cache *cache, void *scratch);

/* Predict the clean embeddings x_0 from x at timestep t.  past[i] is the prefix of row i. */
void prior_step(const struct prior *p, const struct compute *c, size_t n,
                const struct transformer_cache *const past[], float t, const float *x, float *out,
                void *scratch);

/* x = x * std + mean for n rows, called once after the last step.  The result is in the space of CLIP's embeddings. */
void prior_denormalise(const struct prior *p, size_t n, float *x);

#endif
