/* torch_rng.h - the normal noise of a PyTorch CPU generator
 *
 * What     Gives the values of torch.randn(n, generator=torch.Generator("cpu").manual_seed(seed)), draw after
 *          draw, so that a run can be compared with the same run in Python.
 * Source   aten CPUGeneratorImpl and normal_fill, checked against torch 2.13.  MT19937: Matsumoto and
 *          Nishimura 1998.  For n >= 16, Box-Muller turns 24-bit uniforms into normals in blocks of 16 (eight
 *          cosines, then their sines); the last 16 are drawn again if 16 does not divide n.  For n < 16, values
 *          are made one at a time from 53-bit uniforms; the second value of a pair is kept for the next draw.
 * Numbers  Values are within 1e-6 of torch (observed 8.7e-7), whose f32 log, sin and cos depend on its instruction set.
 * Threads  Re-entrant; all state is in the argument g.
 */
#ifndef UNCLIP_TORCH_RNG_H
#define UNCLIP_TORCH_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct torch_rng {
    uint32_t mt[624];
    unsigned at;
    bool kept;          /* `mate` is valid */
    double mate;        /* the second value of the last pair */
    uint64_t used;      /* 32-bit outputs drawn since the seed */
};

void torch_rng_seed(struct torch_rng *g, uint64_t seed);    /* uses the low 32 bits of seed */
uint32_t torch_rng_next(struct torch_rng *g);

/* Skips n 32-bit outputs.  With the seed of another program and its `used` as n, g continues where that program
 * stopped. */
void torch_rng_discard(struct torch_rng *g, uint64_t n);

void torch_rng_normal(struct torch_rng *g, float *out, size_t n);

#endif
