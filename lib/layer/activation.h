/* activation.h - activations of whole arrays, and their gradients
 *
 * What     Computes y = act(x), dx = dy * act'(x), and ReLU's gradient from one kept bit for each number, over n
 *          numbers that are next to each other in memory.
 * Aliasing y may be x, dx may be dy.
 * Numbers  As in struct kern (lib/kernel/kern.h).
 * Threads  Split over stretches of the array.
 */
#ifndef UNCLIP_ACTIVATION_H
#define UNCLIP_ACTIVATION_H

#include "lib/base/compute.h"
#include "lib/kernel/kern.h"

void activation_run(const struct compute *c, size_t n, enum act act, const float *x, float *y);
void activation_back(const struct compute *c, size_t n, enum act act, const float *x, const float *dy, float *dx);

/* relu_keep writes div_up(n, 8) bytes, in which bit i is 1 if number i of ReLU's result y is > 0.  relu_back computes
 * dx from these bits. */
void relu_keep(const struct compute *c, size_t n, const float *y, unsigned char *bits);
void relu_back(const struct compute *c, size_t n, const unsigned char *bits, const float *dy, float *dx);

#endif
