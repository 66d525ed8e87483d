/* spacing.h - which of a schedule's timesteps are sampled, from a string
 *
 * What     "N" and "A,B,C"   the schedule is cut into sections of equal length, one for each number.  The number says
 *                            how many steps are taken, evenly from the section's first timestep to its last
 *          "ddimN"           the multiples of the smallest stride that gives exactly N timesteps
 *          "fast27"          "10,10,3,2,2" with 997 in the place of 999
 * Source   openai/glide-text2im @69b5307 respace.py, space_timesteps.
 * Errors   -1 and a message: the string has none of these forms, a section has fewer timesteps than steps, or no stride
 *          fits.
 */
#ifndef UNCLIP_SPACING_H
#define UNCLIP_SPACING_H

#include <stddef.h>

#include "lib/base/err.h"

/* Writes the timesteps of `spec` in a schedule of `train` steps into t [train] in descending order, and their number into
 * *n. */
int spacing_timesteps(const char *spec, size_t train, int *t, size_t *n, struct err *e);

#endif
