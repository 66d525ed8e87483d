/* noise_source.h - where a sampler's noise comes from
 *
 * What     One input's noise: n samples of `each` values for one step.  A sampler draws in this order: the
 *          initial noise (step 0), then the noise of each step that takes some (k + 1 for the k-th).
 */
#ifndef UNCLIP_NOISE_SOURCE_H
#define UNCLIP_NOISE_SOURCE_H

#include <stddef.h>

struct noise_source {
    void (*draw)(void *ctx, unsigned step, size_t n, size_t each, float *out);
    void *ctx;
};

#endif
