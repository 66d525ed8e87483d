/* noise.h - normal noise that is a function of its key alone
 *
 * What     noise_fill draws n independent N(0, 1) values for (seed, id, stage, step, sample).
 *          Value i does not depend on n, on other records, on threads or on the machine.
 * Source   Philox4x32-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3",
 *          doi:10.1145/2063384.2063405.  Normals: Box and Muller 1958.
 * Layout   key      = seed (64 bits, low word first)
 *          counter  = XXH64 of the noise id (64 bits, low word first), then 64 bits:
 *                     stage << 60 | step << 48 | sample << 28 | block
 *          Block b gives values 4b .. 4b + 3 from its words w0..w3:
 *                     r = sqrt(-2 ln((w0 + 0.5) / 2^32)),  a = 2 pi w1 / 2^32
 *                     r cos a, r sin a, then two more values from w2, w3 in the same way.
 * Range    stage < 16, step < 4096, sample < 2^20, n <= 2^30; the caller must refuse larger numbers.
 *          |value| < 6.77.
 * Numbers  Values are computed in double and then rounded to f32.  log, sin and cos are functions of noise.c that
 *          use only + - * / and sqrt of IEEE 754, without contraction, so the bits are the same on every machine.
 *          Each is within 2e-16 of the C library's function.  The first values are in the manual pages and in
 *          tests/unit/noise.c.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_NOISE_H
#define UNCLIP_NOISE_H

#include <stddef.h>
#include <stdint.h>

enum noise_stage { NOISE_PRIOR, NOISE_DECODER, NOISE_UPSAMPLE, NOISE_TOKENS, NOISE_STROKES, NOISE_VIEWS };

struct noise_key {
    uint64_t seed, id;    /* id: XXH64 of the noise id's bytes */
    unsigned stage, step, sample;
    unsigned stride;      /* between the numbers of the samples of one record; 0 means 1 */
};

/* Returns the number of the sample i places after k's. */
static inline unsigned noise_sample(const struct noise_key *k, size_t i) {
    return k->sample + (unsigned)i * (k->stride ? k->stride : 1);
}

void noise_fill(const struct noise_key *k, float *out, size_t n);

/* Computes the four random words of block < 2^28 of a key, which are independent and uniform. */
void noise_words(const struct noise_key *k, uint32_t block, uint32_t w[4]);

/* Computes one block of Philox4x32-10 in place: c holds the counter at the call, and the four random words after it. */
void philox4x32(uint32_t c[4], uint32_t k0, uint32_t k1);

/* The functions that noise_fill uses.  noise_log returns ln x for x in (0, 1].  noise_sincos writes the sine and the
 * cosine of 2 pi w / 2^32 into *s and *c. */
double noise_log(double x);
void noise_sincos(uint32_t w, double *s, double *c);

/* A `draw` function for struct noise_source (noise_source.h).  ctx is the struct noise_key k of the first sample; the
 * sample i places after it has the number noise_sample(k, i). */
void noise_philox(void *ctx, unsigned step, size_t n, size_t each, float *out);

#endif
