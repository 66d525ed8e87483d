/* size.h - arithmetic on sizes
 *
 * Units    The sizes may count anything.  round_up and div_up need to > 0, and n + to - 1 must not overflow.
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

/* Returns the number of pieces of size `to` that n fills, the last one in part. */
static inline size_t div_up(size_t n, size_t to) {
    return (n + to - 1) / to;
}

/* Returns the smallest multiple of `to` that is at least n. */
static inline size_t round_up(size_t n, size_t to) {
    return div_up(n, to) * to;
}

#endif
