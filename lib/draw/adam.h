/* adam.h - one step of Adam
 *
 * What     m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 *          x -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8), with b1 = 0.9 and b2 = 0.999.
 * Source   Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; torch.optim.Adam's defaults.
 * EASY TO GET WRONG  1e-8 is added outside the bias correction.  A new learning rate keeps the moments.
 * Shapes   x, g, m, v: [n].  m and v are 0 before the first step, which has t = 1.
 */
#ifndef UNCLIP_ADAM_H
#define UNCLIP_ADAM_H

#include <stddef.h>

void adam_step(size_t n, float *x, const float *g, float *m, float *v, size_t t, double lr);

#endif
