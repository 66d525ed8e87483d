/* ar_prior.h - the autoregressive prior: from a text's embedding to the codes of an image's
 *
 * What     An image embedding is K codes: code k is the bucket of its k-th principal component, out of B buckets of equal
 *          width.  A causal transformer over [text states; text embedding; dot product; code 1 .. code K - 1] gives the
 *          scores of the next code.  The dot product is the bucket of the cosine between the embeddings of text and
 *          image; the sampler chooses this bucket.
 *          The rows up to the text embedding depend on the text alone.  ar_prior_prefill computes their keys and values,
 *          the prefix, once for all candidates of a text.  A candidate is one embedding that is being drawn, and has a
 *          cache of its own.  With guidance a candidate has a twin, whose prefix is that of the empty text.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 2.2.  No weights of the paper were published, and the paper
 *          does not give the edges of the buckets.  Tensors and layout are those of examples/emoji/train/ar_prior.py.
 * Shapes   states [tokens, E], embed [E], logits [n, B], all f32.  A token is a bucket, 0 <= token < B.
 * EASY TO GET WRONG
 *          The row of the dot product gives the scores of code 1, and the row of code k those of code k + 1.  The row of
 *          the last code is never needed.  Each place has a bias of its own for its scores (position_logits), whose row 0
 *          belongs to the dot product.  A code stands for the middle of its bucket.
 * Numbers  f32: within 2e-5 of the largest score of torch (tests/unit/ar_prior.c).  A candidate's bytes do not depend on
 *          the other candidates, on their number or on the threads.
 * Errors   NULL or -1, with a message in e: a tensor is missing, has another shape, holds numbers that make no sense or is
 *          not used; a size is out of range; memory is exhausted.  ar_prior_prefill and ar_prior_step cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_AR_PRIOR_H
#define UNCLIP_AR_PRIOR_H

#include "lib/layer/transformer.h"

struct ar_prior_config {
    size_t embed, width, heads, layers;    /* embed is E, width is D */
    size_t context;                        /* the most text states */
    size_t codes, buckets;                 /* codes is K, at most E; buckets is B */
};

enum { AR_PRIOR_CODES = 4095 };            /* the largest K: noise.h has 4096 steps, one for the dot product */

struct ar_prior;

/* Check the config, bind the tensors and pack them into keep. */
struct ar_prior *ar_prior_bind(const struct ar_prior_config *config, const struct weights *ws, const struct compute *c,
                               struct arena *keep, struct err *e);

const struct ar_prior_config *ar_prior_config_of(const struct ar_prior *p);

/* How often each bucket of the dot product was met in training, [B]: not negative, and their sum is above 0. */
const float *ar_prior_dots(const struct ar_prior *p);

/* Make an empty cache with memory from the arena a: ar_prior_cache for the prefix of a text of `tokens` tokens, and
 * ar_prior_candidate for a candidate.  Return 0, or -1 if the arena is full. */
int ar_prior_cache(const struct ar_prior *p, size_t tokens, struct transformer_cache *cache, struct arena *a);
int ar_prior_candidate(const struct ar_prior *p, struct transformer_cache *cache, struct arena *a);

/* Bytes of scratch for ar_prior_prefill with at most `tokens` tokens, and for ar_prior_step with at most n rows. */
size_t ar_prior_scratch(const struct ar_prior *p, size_t tokens, size_t n);

/* Run the prefix through the network, and store its keys and values in an empty cache, which ar_prior_cache made for
 * `tokens` text tokens; tokens <= the context of the config. */
void ar_prior_prefill(const struct ar_prior *p, const struct compute *c, size_t tokens, const float *states,
                      const float *embed, struct transformer_cache *cache, void *scratch);

/* Gives the network the next token of each of n rows, and writes the scores of the token after it.  At step at = 0 the
 * token is the dot product, and at step at > 0 it is code `at`.  Steps are taken in order, at = 0, 1, ... K - 1.
 * past[i] is the prefix of row i, and own[i] its candidate's cache. */
void ar_prior_step(const struct ar_prior *p, const struct compute *c, size_t at, size_t n,
                   const struct transformer_cache *const past[], struct transformer_cache own[], const int token[],
                   float *logits, void *scratch);

/* Turn codes [n, K] into embeddings out [n, E], in the space of CLIP's embeddings. */
void ar_prior_embedding(const struct ar_prior *p, size_t n, const int *codes, float *out);

#endif
