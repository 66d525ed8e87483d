/* token_draw.h - draw a token from the scores of all tokens
 *
 * What     Temperature, top-k and top-p give every token a weight, and one uniform number u picks a token: the first in
 *          the order of the vocabulary at which the running sum of weights exceeds u times their total.  So one
 *          number for each token of each sample decides, independent of the batch.
 * Rules    TOKEN_HF       l / T; scores below the k-th largest are dropped (equal ones stay); softmax; of the others, most
 *                         probable first, those after a running sum above p are dropped; softmax again.
 *          TOKEN_MINDALLE as TOKEN_HF, with "at least p" instead of "above p".
 *          TOKEN_CFG      scores below the k-th largest are dropped; weights exp((l - max) / T); no top-p.
 *          k = 0 and p >= 1 drop nothing.
 * Source   transformers 4.10.2 generation_logits_process.py (ruDALL-E); kakaobrain/minDALL-E e548007
 *          dalle/utils/sampling.py; kuprel/min-dalle 73621fb dalle_bart_decoder.py.
 * Shapes   scores, weights [n].
 * Numbers  Weights in f64; probabilities within 2e-6 of the references', tokens equal (tests/unit/token_draw.c).
 * Errors   None; scores that are not finite never get a weight.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_TOKEN_DRAW_H
#define UNCLIP_TOKEN_DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "lib/diffusion/torch_rng.h"

enum token_rule { TOKEN_HF, TOKEN_MINDALLE, TOKEN_CFG };

struct token_rules {
    enum token_rule rule;
    double temperature, top_p;    /* above 0 */
    size_t top_k;
};

/* Guidance: cond becomes uncond + scale (cond - uncond). */
void token_guide(size_t n, const float *uncond, double scale, float *cond);

/* Fill weight with the weight of each token; order is room for n numbers.  Returns the sum of the weights. */
double token_weights(const struct token_rules *r, size_t n, const float *scores, double *weight, uint32_t *order);

size_t token_pick(size_t n, const double *weight, double u);

/* ln of the probability that the weights give to a token. */
double token_log_probability(const double *weight, double total, size_t token);

/* The uniform number, in [0, 1) with 53 bits, of a token: (seed, id, sample, token) as noise.h has them, stage
 * NOISE_TOKENS. */
double token_uniform(uint64_t seed, uint64_t id, unsigned sample, unsigned token);

/* The draw of torch.multinomial(p, 1) on a CPU from the weights of one row; the rows of a batch are drawn in order. */
size_t token_multinomial(struct torch_rng *g, size_t n, const double *weight, double total);

#endif
