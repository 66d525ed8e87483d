/* beside.h - a stream read beside another one, record by record
 *
 * What     Record k of a file for record k of another stream; where the file holds one record alone, that one
 *          for all of them.  What the other stream passes over (shards, failed records) is passed over here.
 * Errors   A record that is none: -1 for its place alone; the next is found again.
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

/* It is opened once, so that it may be a pipe.  -1: there is no record in it. */
int beside_open(struct beside *b, const char *name, struct arena *a, size_t buffer, struct err *e);

/* Record `number`, which grows from call to call, counted from 1; its bytes lie in the file or in a.
 * 1, 0 there are fewer, -1. */
int beside_get(struct beside *b, uint64_t number, struct record *r, struct arena *a, struct err *e);

#endif
