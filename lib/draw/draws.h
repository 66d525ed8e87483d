/* draws.h - uniform random numbers that are a function of their key and their place
 *
 * What     Each purpose has a sequence of numbers, which is named by (key, number): number < 2^24 counts the sequences
 *          of a key.  A sequence has up to 64 numbers.
 * Source   Philox4x32-10, laid out as in lib/diffusion/noise.h: sequence `number` begins at block 16 * number.
 * Numbers  draws_unit gives multiples of 2^-32 in [0, 1).
 */
#ifndef UNCLIP_DRAWS_H
#define UNCLIP_DRAWS_H

#include "lib/diffusion/noise.h"

enum { DRAWS_MOST = 64, DRAWS_NUMBERS = 1 << 24 };

struct draws {
    struct noise_key key;
    uint32_t number, at;       /* at: how many numbers were taken so far */
    uint32_t word[4];
};

static inline struct draws draws_open(const struct noise_key *key, uint32_t number) {
    return (struct draws){.key = *key, .number = number};
}

/* Returns a number in [0, 1). */
static inline double draws_unit(struct draws *d) {
    if (d->at % 4 == 0)
        noise_words(&d->key, d->number * (DRAWS_MOST / 4) + d->at / 4 % (DRAWS_MOST / 4), d->word);
    return (double)d->word[d->at++ % 4] * 0x1p-32;
}

/* Returns a whole number from lo to hi, both included. */
static inline int draws_int(struct draws *d, int lo, int hi) {
    return lo + (int)(draws_unit(d) * (double)(hi - lo + 1));
}

#endif
