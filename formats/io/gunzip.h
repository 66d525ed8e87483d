/* gunzip.h - unpack gzip data in memory
 *
 * What     The data may consist of several gzip members, one after another.
 * Errors   gunzip returns -1 if the data is damaged or cut short, if it holds more than `limit` bytes, or if memory
 *          runs out.
 * Memory   The bytes grow at the end of the arena as they are unpacked; zlib works in the arena too (64 KiB).
 */
#ifndef UNCLIP_GUNZIP_H
#define UNCLIP_GUNZIP_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

/* Returns whether the data begins as gzip data does. */
bool gunzip_is(struct span s);

/* Unpacks s into *out, and stops after `most` unpacked bytes.  If `most` is SIZE_MAX, all bytes are unpacked.  The
 * caller passes a multiple of 1 MiB as `limit`. */
int gunzip(struct span s, size_t most, size_t limit, struct span *out, struct arena *a, struct err *e);

#endif
