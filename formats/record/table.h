/* table.h - rows of text for people and for text tools: TSV, CSV, JSON lines
 *
 * What     A row is a fixed list of named columns, each a text, a number, or nothing.
 *
 *          TSV    no head line; backslash, tab, newline and carriage return inside a text
 *                 are \\ \t \n \r, so that a line is a row and cut(1) works; other controls,
 *                 U+0080 to U+009F too, are \xNN for each byte, so that a terminal takes no
 *                 orders; other bytes as they are, names that are not UTF-8 included.
 *          CSV    RFC 4180: a head line, commas, rows end in CR LF, texts with a comma, a
 *                 quote or a line end in quotes, quotes doubled; bytes as they are.
 *          JSON   one object a line; a text that is not UTF-8 is {"$bytes": base64}, and
 *                 nothing is a field that is not there.
 *
 *          Numbers have seven digits in all three (%.7g): what a cosine of f32 vectors is
 *          good for.
 * Errors   -1 with errno when writing fails; a row is never cut in two by an error of ours.
 * Memory   One buffer of TABLE_BUFFER bytes; longer rows go out in pieces.
 */
#ifndef UNCLIP_TABLE_H
#define UNCLIP_TABLE_H

#include <stdint.h>

#include "formats/record/record.h"

enum table_format { TABLE_NONE, TABLE_TSV, TABLE_CSV, TABLE_JSON };
enum { TABLE_BUFFER = 1 << 16 };

struct table {
    int fd;
    enum table_format format;
    const char *const *name;    /* [ncols] */
    size_t ncols, col;          /* columns; the next one of this row */
    bool any;                   /* JSON: this row has a field already */
    char *buf;
    size_t n;
    int error;                  /* errno of the first write that failed */
};

/* fd: where to; the head line of CSV is written with the first row or by table_close. */
int table_open(struct table *t, int fd, enum table_format f, const char *const name[],
               size_t ncols, struct arena *a);

/* The next column of the row; the last one ends the row. */
void table_text(struct table *t, struct span s);
void table_number(struct table *t, double v);
void table_int(struct table *t, int64_t v);
void table_empty(struct table *t);

/* Write what is buffered: 0, or -1 with errno if this or an earlier write failed. */
int table_flush(struct table *t);

#endif
