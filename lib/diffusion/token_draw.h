/* token_draw.h - draw a token from the scores of all tokens
 *
 * What     Temperature, top-k and top-p give every token a weight.  Then one uniform number u picks a token, which is
 *          the first in the order of the vocabulary at which the running sum of weights exceeds u times their total.
 *          Each token of each sample has its own u, so a draw does not depend on the batch.
 * Rules    With l the scores, T the temperature, k top_k and p top_p:
 *          TOKEN_HF       l is divided by T.  Scores below the k-th largest are dropped; scores equal to it stay.  The
 *                         others become probabilities by a softmax.  They are added up, the most probable first, until
 *                         the sum is above p.  All tokens after that are dropped.
 *          TOKEN_MINDALLE TOKEN_HF, with "at least p" instead of "above p".
 *          TOKEN_CFG      Scores below the k-th largest are dropped.  The weights are exp((l - max) / T).  p is unused.
 *          k = 0 drops no token, and neither does p >= 1.
 * Source   transformers 4.10.2 generation_logits_process.py (ruDALL-E); kakaobrain/minDALL-E e548007
 *          dalle/utils/sampling.py; kuprel/min-dalle 73621fb dalle_bart_decoder.py.
 * Shapes   scores [n] f32, weights [n] f64, where n is the number of tokens in the vocabulary.
 * Numbers  Probabilities are within 2e-6 of the references', and the tokens drawn are equal (tests/unit/token_draw.c).
 * Errors   The functions cannot fail.  A score that is not finite gives the weight 0.  If no score is finite, the sum of
 *          the weights is 0, and the caller must not draw.
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
    double temperature, top_p;    /* both above 0 */
    size_t top_k;
};

/* Classifier-free guidance of scores [n]: cond becomes uncond + scale (cond - uncond). */
void token_guide(size_t n, const float *uncond, double scale, float *cond);

/* Fill weight [n] with the weight of each token.  order [n] is scratch.  Returns the sum of the weights. */
double token_weights(const struct token_rules *r, size_t n, const float *scores, double *weight, uint32_t *order);

/* Returns the token that u in [0, 1) picks. */
size_t token_pick(size_t n, const double *weight, double u);

/* Returns the uniform number of a token, in [0, 1) with 53 bits.  seed, id and sample are those of struct noise_key
 * (noise.h), the stage is NOISE_TOKENS, and the token's number takes the place of the step. */
double token_uniform(uint64_t seed, uint64_t id, unsigned sample, unsigned token);

/* Returns the token that torch.multinomial(p, 1) draws on a CPU from the weights of one row.  For a batch, the caller
 * draws the rows in order. */
size_t token_multinomial(struct torch_rng *g, size_t n, const double *weight, double total);

#endif
