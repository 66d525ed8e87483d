/* record_info.h - what is in a stream: counts, fields, sizes, models, programs
 *
 * What     Collects, and prints lines of columns separated by tabs:
 *              records  N
 *              errors   N                     records with an `error`
 *              bytes    N
 *              field    NAME   N  KIND        one line for each kind that the field has:
 *                                             str, int 0..7, f32[768], i64[5..77], array[0..3], ...
 *              model    FIELD  N  FINGERPRINT
 *              program  NAME   N
 * Memory   INFO_LINES lines at most.  Everything else is counted on a line `other`.
 * Errors   There are none.  A field of an unusual type has a line of its own.
 */
#ifndef UNCLIP_RECORD_INFO_H
#define UNCLIP_RECORD_INFO_H

#include "formats/record/record.h"

enum { INFO_LINES = 512 };

struct info_line {
    int group;              /* field, model, program */
    struct span name;
    struct span text;       /* a fingerprint; a tensor's type */
    int kind;               /* enum mp_kind, or more for a tensor */
    int nd;
    uint64_t records;
    double min, max;        /* of numbers; of lengths of arrays */
    size_t lo[TENSOR_DIMS], hi[TENSOR_DIMS];
};

struct info {
    struct info_line *line;
    size_t n;
    uint64_t records, errors, bytes, other;
    struct arena *keep;
};

int info_open(struct info *s, struct arena *keep);
void info_add(struct info *s, const struct record *r);
void info_print(const struct info *s, struct mp *out);

#endif
