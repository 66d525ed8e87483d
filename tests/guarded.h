/* guarded.h - arrays of random floats with NaN before and after, so that tests detect accesses out of bounds */
#ifndef UNCLIP_TESTS_GUARDED_H
#define UNCLIP_TESTS_GUARDED_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD = 17 };    /* NaNs before the array; an odd number, so that the array is not aligned for vectors */

/* Returns the next output of a linear congruential generator, scaled to [-1, 1). */
static float uniform(void) {
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return (float)(int32_t)state * 0x1p-31f;
}

/* Fills room [size] with NaN, except an array of n random floats in [-scale, scale), which begins at room[GUARD].  Returns
 * a pointer to this array. */
static float *guarded(float *room, size_t size, size_t n, float scale) {
    for (size_t i = 0; i < size; i++)
        room[i] = NAN;
    for (size_t i = 0; i < n; i++)
        room[GUARD + i] = scale * uniform();
    return room + GUARD;
}

/* Returns true if room [size] still is NaN outside the array of n floats that guarded made. */
static bool untouched(const float *room, size_t size, size_t n) {
    for (size_t i = 0; i < size; i++)
        if ((i < GUARD || i >= GUARD + n) && !isnan(room[i]))
            return false;
    return true;
}

#endif
