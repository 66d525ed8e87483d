/* activation.h - activations of whole arrays, and their gradients
 *
 * What     y = act(x), dx = dy * act'(x), and ReLU's gradient from one kept bit for each number, for n numbers that
 *          follow each other.
 * Aliasing y may be x, dx may be dy.
 * Numbers  As struct kern (lib/kernel/kern.h).
 * Threads  Split over stretches of the array.
 */
#ifndef UNCLIP_ACTIVATION_H
#define UNCLIP_ACTIVATION_H

#include "lib/base/compute.h"
#include "lib/kernel/kern.h"

void activation_run(const struct compute *c, size_t n, enum act act, const float *x, float *y);
void activation_back(const struct compute *c, size_t n, enum act act, const float *x, const float *dy, float *dx);

/* relu_keep writes bit i = y[i] > 0 of ReLU's result, div_up(n, 8) bytes.  relu_back computes dx from these bits. */
void relu_keep(const struct compute *c, size_t n, const float *y, unsigned char *bits);
void relu_back(const struct compute *c, size_t n, const unsigned char *bits, const float *dy, float *dx);

#endif
