/* torch_rng.h - the normal noise of a PyTorch CPU generator
 *
 * What     torch.randn(n, generator=torch.Generator("cpu").manual_seed(seed)), draw after draw, so
 *          that a run can be compared with the same run in Python.
 * Source   aten CPUGeneratorImpl and normal_fill, checked against torch 2.13.  MT19937: Matsumoto and
 *          Nishimura 1998.  n >= 16: 24-bit uniforms, Box-Muller in blocks of 16 (cosines first, sines
 *          eight later); the last 16 are drawn again when 16 does not divide n.  n < 16: 53-bit uniforms,
 *          one value at a time; the second value of a pair is kept for the next draw.
 * Numbers  Within 1e-6 of torch (observed 8.7e-7), whose f32 log, sin and cos depend on its instruction set.
 * Threads  Re-entrant; the state is the argument.
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

void torch_rng_seed(struct torch_rng *g, uint64_t seed);    /* the low 32 bits are used */
uint32_t torch_rng_next(struct torch_rng *g);

/* Skip n outputs, to continue where another program stopped (its `used`). */
void torch_rng_discard(struct torch_rng *g, uint64_t n);

void torch_rng_normal(struct torch_rng *g, float *out, size_t n);

#endif
