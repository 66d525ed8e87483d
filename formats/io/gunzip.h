/* gunzip.h - unpack gzip data in memory
 *
 * What     Data may have several members, one after another.
 * Errors   -1: the data is damaged or cut short, or holds more than `limit` bytes.
 * Memory   The bytes grow at the end of the arena as they are unpacked; zlib works in the arena too (64 KiB).
 */
#ifndef UNCLIP_GUNZIP_H
#define UNCLIP_GUNZIP_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

/* Does the data begin as gzip data does? */
bool gunzip_is(struct span s);

/* Unpack s into *out: the whole data, or its first `most` bytes (SIZE_MAX: all).  limit is a multiple of 1 MiB. */
int gunzip(struct span s, size_t most, size_t limit, struct span *out, struct arena *a, struct err *e);

#endif
