/* softmax.h - probabilities from scores
 */
#ifndef UNCLIP_SOFTMAX_H
#define UNCLIP_SOFTMAX_H

#include <stddef.h>

/* prob[i] = exp(score[i] / temperature) / sum over all n >= 1.  prob may be score.  No finite score overflows. */
void softmax(const double *score, size_t n, double temperature, double *prob);

#endif
