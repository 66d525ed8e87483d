/* beside.h - a second stream, read record by record next to the first
 *
 * What     For record k of a stream, beside_get gives record k of another file.  A file with one record gives that
 *          record every time.  Records that the caller skips in the stream (other shards, failed records) are skipped
 *          in the file, too.
 * Errors   beside_get returns -1 for a damaged record.  The record after the damage can be read.
 * Memory   One record (stream.h).
 */
#ifndef UNCLIP_BESIDE_H
#define UNCLIP_BESIDE_H

#include "formats/record/stream.h"

struct beside {
    struct stream s;
    struct record only;    /* a copy of the file's first record */
    struct err first;      /* what is wrong with the first record; empty if it is good */
    bool one;              /* the file has one record, which is given every time */
};

/* Opens the file and reads its first record.  The file is opened once, so that it may be a pipe.  Returns -1 if it
 * cannot be opened or has no record. */
int beside_open(struct beside *b, const char *name, struct arena *a, size_t buffer, struct err *e);

/* Reads record `number` of the file.  Numbers count from 1 and must grow from call to call.  The record's bytes are in
 * the mapped file, in the read buffer or in an arena.  Returns 1 if it gave a record, 0 if the file has fewer records,
 * or -1 on an error. */
int beside_get(struct beside *b, uint64_t number, struct record *r, struct arena *a, struct err *e);

#endif
