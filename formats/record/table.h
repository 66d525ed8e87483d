/* table.h - rows of text for people and for text tools: TSV, CSV, JSON lines
 *
 * What     A row is a fixed list of named columns.  Each column has a text or a number.
 *
 *          TSV    The first line is already a row, unless table_head is called.
 *                 Backslash, tab, newline and carriage return inside a text are \\ \t \n \r, so
 *                 that a line is a row and cut(1) works.  Each byte of another control character, U+0080
 *                 to U+009F included, is \xNN, so a text cannot control the terminal.  Other bytes are written
 *                 as they are, also if the text is not UTF-8.
 *          CSV    RFC 4180.  The first line has the column names.  A text with a comma, a quote or a line end stands in
 *                 quotes, with its own quotes doubled.  Other bytes are written as they are.
 *          JSON   One object a line.  A text that is not UTF-8 is {"$bytes": base64}.
 *
 *          Numbers have seven digits (%.7g), which is the precision of a cosine of f32 vectors.
 * Errors   table_flush returns -1 with errno if writing fails.
 * Memory   One buffer of TABLE_BUFFER bytes.  A longer row is written in pieces.
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
    bool nul;                   /* if the caller sets it, rows of TSV end in NUL, and texts are written as they are */
    const char *const *name;    /* [ncols] */
    size_t ncols, col;          /* number of columns; index of the row's next column */
    char *buf;
    size_t n;
    int error;                  /* errno of the first write that failed */
};

/* Prepares t to write rows to fd.  The head line of CSV is put into the buffer at once.  Returns 0, or -1 if memory
 * runs out. */
int table_open(struct table *t, int fd, enum table_format f, const char *const name[],
               size_t ncols, struct arena *a);

/* Appends the names of the columns as a row of TSV. */
void table_head(struct table *t);

/* Each of these appends the next column of the row.  The last column ends the row. */
void table_text(struct table *t, struct span s);
void table_number(struct table *t, double v);
void table_int(struct table *t, int64_t v);

/* Writes the buffer to fd.  Returns 0, or -1 with errno if this write or an earlier write failed. */
int table_flush(struct table *t);

#endif
