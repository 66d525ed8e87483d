/* noise_source.h - the source of a sampler's noise
 *
 * What     draw writes n samples of `each` normal values into out: the noise of one input for one step.
 *          A sampler calls draw with step 0 for the initial noise first, then with step k + 1 in its step k
 *          (k from 0) if that step needs noise.  If steps are repeated, decoder_draws in sampler.h gives the numbers.
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
