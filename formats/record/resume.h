/* resume.h - what an output file holds already, so that an interrupted run goes on
 *
 * What     A record was made by this run's program, from the same id, with the same options
 *          and the same models, if three things agree: its id, the program's (last) map in
 *          `params`, and the fingerprints in `model` of the fields that the program writes.
 *          resume_load reads them from a stream into a table of 128-bit keys, and counts each key.  The same input
 *          may come several times: what a run has made n times is skipped n times.
 * Memory   24 bytes for each key, in a table that is half full at most.
 * Numbers  Two different records share a key with probability 2^-128 times their pairs: never.
 * Errors   A file that is not there is an empty set.  Garbage and a cut tail are not errors here:
 *          `end` is the offset after the last whole record, where appending may begin.
 */
#ifndef UNCLIP_RESUME_H
#define UNCLIP_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

struct record;

struct resume_key {
    uint64_t hi, lo;
};

struct resume_slot {
    struct resume_key key;
    uint64_t left;              /* records of this key that the run has not met yet */
};

struct resume {
    struct resume_slot *slot;   /* [cap] open addressing; the key {0, 0} is empty */
    size_t cap, n;              /* n: slots that are taken */
    uint64_t end;               /* bytes up to the end of the last whole record */
    uint64_t size;              /* bytes of the file */
};

/* fp: the fingerprints of the fields that the program writes, in a fixed order, "" where absent. */
struct resume_key resume_key(struct span id, struct span params, size_t n, const struct span fp[]);

/* Read every record of `file`.  Fields: the names whose fingerprints count. */
int resume_load(struct resume *s, const char *file, const char *program, size_t nfields,
                const char *const fields[], struct arena *keep, struct err *e);

/* How many records of that key are left. */
uint64_t resume_left(const struct resume *s, struct resume_key k);

/* Is there one?  Then it is met: there is one less. */
bool resume_take(struct resume *s, struct resume_key k);

/* The last map in the record's `params` that belongs to program: 1, or 0 if none. */
int record_params_of(const struct record *r, const char *program, struct span *map);

#endif
