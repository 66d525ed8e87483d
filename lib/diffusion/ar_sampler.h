/* ar_sampler.h - draw image embeddings code by code with the autoregressive prior
 *
 * What     The first token of a candidate is the bucket of the dot product, drawn from the top of its training
 *          distribution: from the part of the histogram above `quantile`.  Then K codes are drawn, each from the softmax
 *          of the scores divided by the temperature.  With guidance, scores = uncond + scale (cond - uncond); both
 *          branches of all candidates are in one batch, so each token takes one pass over the weights.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 2.2 (the dot product's top half; guidance).
 * Shapes   Embeddings [N, E] f32, tokens [N, 1 + K], N being the sum of all n.
 * EASY TO GET WRONG
 *          The quantile cuts through a bucket: that bucket keeps the share of its weight that lies above.  Both branches
 *          of the guidance get the same dot product.
 * Numbers  With a torch generator the tokens are those of torch.multinomial (tests/unit/ar_prior.c).  A candidate does not
 *          depend on the others in the batch, on the threads or on the other texts.
 * Errors   sample_ar_prior returns -1 if scratch is too small, no score of a token is finite, or the embedding of the
 *          codes is not finite (err is filled), and if the step callback returned false (err is empty).
 * Threads  The network and the weights of the tokens are split over threads; the tokens are picked in order.
 */
#ifndef UNCLIP_AR_SAMPLER_H
#define UNCLIP_AR_SAMPLER_H

#include "lib/diffusion/sampler.h"
#include "lib/net/ar_prior.h"

/* pick picks token number `at` of candidate i of a text and returns it.  Number 0 is the dot product.  weight [v] holds
 * the weights of the v tokens, whose sum is total.  For each `at`, pick is called for a text's candidates in order. */
struct token_source {
    size_t (*pick)(void *ctx, unsigned at, size_t i, size_t v, const double *weight, double total);
    void *ctx;
};

/* A `pick` function for struct token_source that uses Philox.  ctx is the struct noise_key k of the first candidate.  The
 * number of candidate i is noise_sample(k, i).  The uniform random numbers are those of token_uniform (token_draw.h). */
size_t token_philox(void *ctx, unsigned at, size_t i, size_t v, const double *weight, double total);

/* The request for n candidates of one text. */
struct ar_prior_text {
    size_t n;
    const struct transformer_cache *prefix;
    struct token_source source;
};

struct ar_prior_job {
    const struct ar_prior *prior;
    size_t ntexts;
    const struct ar_prior_text *text;         /* [ntexts] */
    double guidance;                          /* scale; at <= 1 the unconditional branch is not computed */
    double temperature, quantile;             /* temperature is above 0; 0 <= quantile < 1 */
    const struct transformer_cache *empty;    /* prefix of unconditional rows; may be NULL without guidance */
};

/* Writes the candidates of all texts, in the order of the texts, into out and, if tokens is not NULL, into tokens. */
int sample_ar_prior(const struct ar_prior_job *j, const struct compute *c, float *out, int *tokens,
                    const struct sampler_watch *w, struct arena scratch, struct err *e);

/* Fills weight [v] with the part of each share that lies above the quantile of the whole.  Returns the sum. */
double dot_weights(size_t v, const float *share, double quantile, double *weight);

#endif
