/* near.h - the name that a mistyped name was meant to be
 *
 * What     Two names are near when one becomes the other by few changes: a character added, left out, replaced, or
 *          exchanged with its neighbour.  One change is allowed for each three characters, two at most.  A name of
 *          fewer than three characters is not near any other name.
 */
#ifndef UNCLIP_NEAR_H
#define UNCLIP_NEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/* Returns the number of changes between the names, or SIZE_MAX if they are not near.  Equal names have 0 changes. */
size_t near_changes(const char *a, const char *b);

/* Writes into e why `path` could not be opened, as errno says.  If `path` does not exist and its directory holds a near
 * name, the message ends in "; did you mean FILE?".  Returns -1. */
int near_open_failed(const char *path, struct err *e);

#endif
