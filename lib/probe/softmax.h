/* softmax.h - probabilities from scores
 */
#ifndef UNCLIP_SOFTMAX_H
#define UNCLIP_SOFTMAX_H

#include <stddef.h>

/* Computes prob[i] = exp(score[i] / temperature) / (the sum of exp(score / temperature) over all n scores); n >= 1.
 * prob may be score.  Finite scores do not overflow. */
void softmax(const double *score, size_t n, double temperature, double *prob);

#endif
