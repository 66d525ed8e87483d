/* token_line.h - reads a line of token ids, "320 1125", as clip-tok --ids writes it
 */
#ifndef UNCLIP_TOKEN_LINE_H
#define UNCLIP_TOKEN_LINE_H

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

/* Reads the ids of a line into *id, in memory from the arena a, and their number into *n.  For an id greater than
 * INT32_MAX, *id gets some value greater than INT32_MAX.  Returns 0, or -1 if the line has characters other than
 * digits, spaces and tabs, or if memory runs out. */
int token_line(struct span line, int64_t **id, size_t *n, struct arena *a, struct err *e);

#endif
