/* file_read.h - read all bytes of a file, a pipe or a device into memory
 *
 * What     For small files whose bytes stay in memory, such as labels, templates and vocabularies.  Weights and streams
 *          are mapped instead (mapfile.h, formats/record/stream.h).
 * Errors   file_read returns -1 if the file cannot be read, if it has more than `most` bytes, or if memory runs out;
 *          err says which.  The caller passes a multiple of 1 MiB as `most`.
 * Memory   The buffer grows at the end of the arena as bytes arrive.
 */
#ifndef UNCLIP_FILE_READ_H
#define UNCLIP_FILE_READ_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

#define TEXT_FILE_MAX ((size_t)1 << 30)    /* value of `most` for a file that people write, or for a cache of labels */

int file_read(const char *name, size_t most, struct span *bytes, struct arena *a, struct err *e);

#endif
