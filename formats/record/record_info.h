/* record_info.h - what is in a stream: counts, fields, sizes, models, programs
 *
 * What     info_add collects the facts of each record.  info_print prints lines of columns separated by tabs:
 *              records  N
 *              errors   N                     records with an `error`
 *              bytes    N
 *              field    NAME   N  KIND        one line for each kind that the field has:
 *                                             str, int 0..7, f32[768], i64[5..77], array[0..3], ...
 *              model    FIELD  N  FINGERPRINT
 *              program  NAME   N
 * Memory   There are at most INFO_LINES lines.  Records that would need one more line are counted on the line `other`.
 * Errors   info_open returns -1 if memory runs out.  The other functions do not fail.  A field of an unusual type has a
 *          line of its own.
 */
#ifndef UNCLIP_RECORD_INFO_H
#define UNCLIP_RECORD_INFO_H

#include "formats/record/record.h"

enum { INFO_LINES = 512 };

struct info_line {
    int group;              /* whether the line is of a field, a model or a program */
    struct span name;
    struct span text;       /* a model's fingerprint, or the type of a tensor */
    int kind;               /* enum mp_kind, or a larger number for a tensor */
    int nd;
    uint64_t records;
    double min, max;        /* the range of the numbers, or of the lengths of the arrays */
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
