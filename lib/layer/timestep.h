/* timestep.h - the sinusoidal embedding of a timestep
 *
 * What     out = [cos(t f_i) .., sin(t f_i) ..], f_i = 10000^(-i / half), half = d / 2.  The cosines
 *          come first; the divisor is half, not half - 1.
 * Source   Vaswani et al. 2017, arXiv:1706.03762; diffusers' Timesteps with flip_sin_to_cos
 *          and freq_shift 0.
 * Shapes   out [d], d even.
 * Numbers  Frequencies and arguments are f32, as in the reference.  Arguments of up to 999 rad
 *          differ from the reference's by at most a unit in the last place: 6e-5 in an entry.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_TIMESTEP_H
#define UNCLIP_TIMESTEP_H

#include <stddef.h>

void timestep_embedding(float t, size_t d, float *out);

#endif
