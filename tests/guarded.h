/* guarded.h - random numbers that lie between NaN, so that a read or a write beyond them shows */
#ifndef UNCLIP_TESTS_GUARDED_H
#define UNCLIP_TESTS_GUARDED_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD = 17 };    /* floats before the numbers, so that no vector is aligned */

/* Returns the next number of a linear congruential generator, in [-1, 1). */
static float uniform(void) {
    static uint32_t state = 1;

    state = state * 1664525 + 1013904223;
    return (float)(int32_t)state * 0x1p-31f;
}

/* Fills all of the `size` floats of room with NaN, except n numbers in [-scale, scale).  Returns the first of these. */
static float *guarded(float *room, size_t size, size_t n, float scale) {
    for (size_t i = 0; i < size; i++)
        room[i] = NAN;
    for (size_t i = 0; i < n; i++)
        room[GUARD + i] = scale * uniform();
    return room + GUARD;
}

/* Returns whether all of room except the n numbers is NaN still. */
static bool untouched(const float *room, size_t size, size_t n) {
    for (size_t i = 0; i < size; i++)
        if ((i < GUARD || i >= GUARD + n) && !isnan(room[i]))
            return false;
    return true;
}

#endif
