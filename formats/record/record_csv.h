/* record_csv.h - records as rows of CSV
 *
 * What     RFC 4180: a head line, then a row for each record.  Commas separate the columns, CR LF ends a line, and quotes
 *          stand around a value with a comma, a quote or a line end.  The first column is the id.  Strings and
 *          bytes are written as they are, floats with the fewest digits that give the same float again, bools as
 *          true and false, and arrays, maps and tensors as JSON.  A field that is absent or nil is empty.
 * Errors   -1 when memory is out, or when a number in a tensor is not finite.  The caller then removes what was
 *          appended.
 */
#ifndef UNCLIP_RECORD_CSV_H
#define UNCLIP_RECORD_CSV_H

#include "formats/record/record.h"

struct csv {
    struct span *name;      /* [n], columns after the id: given, or the first record's */
    size_t n;
    bool given, begun;
    struct span extra;      /* the first field found that has no column */
    struct arena *keep;     /* for names */
};

/* Append the record's row, and before the first row the head.  Without names given, the fields of
 * the first record that hold a string, a number or a bool are the columns.
 * out and scratch must not share a region with each other or with keep. */
int csv_add(struct csv *c, struct mp *out, const struct record *r, struct arena scratch, struct err *e);

#endif
