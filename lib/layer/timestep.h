/* timestep.h - sinusoids for a timestep
 *
 * What     out = [cos(t f_i) .., sin(t f_i) ..], f_i = 10000^(-i / half), half = d / 2.  Cosines
 *          first; the divisor is half, not half - 1.
 * Source   Vaswani et al. 2017, arXiv:1706.03762; as diffusers' Timesteps with flip_sin_to_cos
 *          and freq_shift 0.
 * Shapes   out [d], d even.
 * Numbers  Frequencies and arguments in f32 as the reference's, so arguments of up to 999 rad
 *          differ by a unit in the last place at most: 6e-5 in an entry.
 */
#ifndef UNCLIP_TIMESTEP_H
#define UNCLIP_TIMESTEP_H

#include <stddef.h>

void timestep_embedding(float t, size_t d, float *out);

#endif
