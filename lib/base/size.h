/* size.h - arithmetic on sizes
 *
 * Units    The sizes may count anything.  The argument `to` of round_up and div_up must be > 0, and n + to -
 *          1 must not overflow.
 */
#ifndef UNCLIP_SIZE_H
#define UNCLIP_SIZE_H

#include <stddef.h>

static inline size_t size_min(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Returns n / to, rounded up. */
static inline size_t div_up(size_t n, size_t to) {
    return (n + to - 1) / to;
}

/* Returns the smallest multiple of `to` that is at least n. */
static inline size_t round_up(size_t n, size_t to) {
    return div_up(n, to) * to;
}

/* Returns the largest number whose square is at most n, for n below 2^62. */
static inline size_t square_root(size_t n) {
    size_t r = 0;

    for (size_t bit = (size_t)1 << 30; bit; bit /= 2)
        if ((r + bit) * (r + bit) <= n)
            r += bit;
    return r;
}

/* Returns the smallest power of two that is at least n, for n up to SIZE_MAX / 2. */
static inline size_t power_of_two(size_t n) {
    size_t p = 1;

    while (p < n)
        p *= 2;
    return p;
}

#endif
