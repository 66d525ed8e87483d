/* beside.h - a second stream, read record by record next to the first
 *
 * What     For record k of a stream, gives record k of another file.  A file with one record gives that record every
 *          time.  Records that are passed over in the stream (other shards, failed records) are passed over in the
 *          file.
 * Errors   -1 for a damaged record; the record after it is found again.
 * Memory   One record (stream.h).
 */
#ifndef UNCLIP_BESIDE_H
#define UNCLIP_BESIDE_H

#include "formats/record/stream.h"

struct beside {
    struct stream s;
    struct record only;    /* the first */
    struct err first;      /* or what is wrong with it */
    bool one;
};

/* The file is opened once, so that it may be a pipe.  -1: it has no record. */
int beside_open(struct beside *b, const char *name, struct arena *a, size_t buffer, struct err *e);

/* Record `number`, counted from 1, which grows from call to call.  Its bytes are in the file or in a.
 * 1, 0 where there are fewer records, -1. */
int beside_get(struct beside *b, uint64_t number, struct record *r, struct arena *a, struct err *e);

#endif
