/* resume.h - what an output file holds already, so that an interrupted run can go on
 *
 * What     Two records are results of the same work if four things are equal: the id, the stamp (`size` and `mtime`) of
 *          the file that the id names, the program's last map in `params`, and the fingerprints in `model` of the fields
 *          that the program writes.  The version and the kernels in that map are not compared, so a new version, or a
 *          machine with other kernels, goes on with the same output file.  An id that was made from a file's content has
 *          no stamp.  A 128-bit key stands for the four.  resume_load reads the keys of a stream into a table and counts
 *          each one.  Two records that failed, or that were only passed on, are the same if their bytes are equal.
 *          An input may occur several times: a result that the stream holds n times is skipped n times.
 * Memory   24 bytes for each key, in a table that is half full at most.
 * Numbers  Any two different records have the same key with probability 2^-128.
 * Errors   A file that does not exist holds nothing.  Garbage and a cut tail are not errors here.
 *          `end` is the offset after the last whole record, where appending may begin.
 */
#ifndef UNCLIP_RESUME_H
#define UNCLIP_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/io/file_stamp.h"
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
    struct resume_slot *slot;   /* [cap] a hash table with open addressing; the key {0, 0} marks an empty slot */
    size_t cap, n;              /* n: number of slots that are taken */
    uint64_t end;               /* offset in the file after the last whole record */
    uint64_t size;              /* length of the file in bytes */
};

/* Returns the key of a result.  `stamp` may be unknown.  `fp` holds the n fingerprints of the fields that the program
 * writes, in a fixed order; a fingerprint that is absent is an empty span. */
struct resume_key resume_key(struct span id, struct file_stamp stamp, struct span params, size_t n, const struct span fp[]);

/* Returns the key of a record by its bytes, as record_encode writes them: for records with the field `error` and those that a
 * program passes on unchanged.  Returns {0, 0}, which is in no table, if the bytes do not fit into scratch. */
struct resume_key resume_content_key(const struct record *r, struct arena scratch);

/* Returns the stamp to pass to resume_key for the record r.  It is unknown if r's id was made from a file's content. */
struct file_stamp resume_stamp(const struct record *r);

/* Reads every record of `file` and adds its key to the table s.  `fields` holds the names of the fields whose
 * fingerprints are part of the key. */
int resume_load(struct resume *s, const char *file, const char *program, size_t nfields,
                const char *const fields[], struct arena *keep, struct err *e);

/* Returns how many records with the key k the file holds that resume_take has not counted yet. */
uint64_t resume_left(const struct resume *s, struct resume_key k);

/* Returns whether a record with the key k is left, and counts that record as met. */
bool resume_take(struct resume *s, struct resume_key k);

/* Finds the last map of `program` in the record's `params`.  Returns 1, or 0 if the record has no such map. */
int record_params_of(const struct record *r, const char *program, struct span *map);

#endif
