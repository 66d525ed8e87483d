/* token_line.h - a line of token ids, "320 1125", as clip-tok --ids writes it
 */
#ifndef UNCLIP_TOKEN_LINE_H
#define UNCLIP_TOKEN_LINE_H

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

/* The ids in a line, *n of them, in a.  An id beyond INT32_MAX stays beyond it.  -1: another character is in it. */
int token_line(struct span line, int64_t **id, size_t *n, struct arena *a, struct err *e);

#endif
