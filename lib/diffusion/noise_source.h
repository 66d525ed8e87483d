/* noise_source.h - the source of a sampler's noise
 *
 * What     draw gives the noise of one input: n samples of `each` values for one step.  A sampler draws the
 *          initial noise first (step 0), then the noise of each step that needs noise (k + 1 for the k-th).
 * Source   The order of the draws in diffusers' UnCLIPPipeline.
 */
#ifndef UNCLIP_NOISE_SOURCE_H
#define UNCLIP_NOISE_SOURCE_H

#include <stddef.h>

struct noise_source {
    void (*draw)(void *ctx, unsigned step, size_t n, size_t each, float *out);
    void *ctx;
};

#endif
