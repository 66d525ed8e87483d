/* record_csv.h - records as rows of CSV
 *
 * What     The form is that of RFC 4180, a head line and then a row for each record.  Commas separate the columns,
 *          CR LF ends a line, and quotes stand around a value with a comma, a quote or a line end.  The first column
 *          is the id.  Strings and bytes are written as they are, floats with the fewest digits that give the same
 *          float again, bools as true and false, and arrays, maps and tensors as JSON.  A field that is absent or
 *          nil is empty.
 * Errors   csv_add returns -1 if memory runs out, or if a number in a tensor is not finite.  The caller then removes
 *          what was appended.
 */
#ifndef UNCLIP_RECORD_CSV_H
#define UNCLIP_RECORD_CSV_H

#include "formats/record/record.h"

struct csv {
    struct span *name;      /* [n] names of the columns after the id, from the caller or from the first record */
    size_t n;
    bool given, begun;      /* given: the caller set name; begun: the head line has been written */
    struct span extra;      /* name of the first field with text, a number or a bool that has no column */
    struct arena *keep;     /* holds the names */
};

/* Appends the record's row to out, after the head line if the row is the first.  If the caller gave no names, the
 * fields of the first record that hold a string, bytes, a number or a bool become the columns.  The arenas of out, and
 * scratch, must not share a region with each other or with keep. */
int csv_add(struct csv *c, struct mp *out, const struct record *r, struct arena scratch, struct err *e);

#endif
