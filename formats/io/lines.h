/* lines.h - read lines, or items that end in NUL, one at a time as they arrive
 *
 * What     A line from a pipe is handed out as soon as the whole line has arrived.  The last line need not end in a
 *          newline.  An empty line is handed out too.  A byte order mark at the start of the file and a carriage return
 *          at the end of a line are left out, but are kept in an item that ends in NUL.
 * Errors   lines_next returns 1 for a line and 0 at the end of the file.  It returns -1 if the line is longer than
 *          `most` bytes; that line is skipped, and the next call goes on.  It returns -2 if the file cannot be read any
 *          more, or begins with the byte order mark of UTF-16.  If errno is EINTR after -2, a signal came while
 *          lines_next waited, and the next call goes on.
 * Memory   One buffer, which grows as data arrives, to a little more than `most` bytes.  A line lives until the next
 *          call.
 */
#ifndef UNCLIP_LINES_H
#define UNCLIP_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

struct lines {
    int fd;
    char end;               /* the character that ends a line: '\n' or 0 */
    size_t most;
    const char *text;       /* the bytes read; points at buf, or after lines_of at the caller's text */
    char *buf;
    size_t at, len, cap;    /* offset of the next line in text, end of the bytes read, size of buf */
    size_t seen;            /* text[at, seen) does not contain `end` */
    uint64_t number;        /* number of the line handed out last, counted from 1 */
    bool eof, drop;         /* drop: inside a line that is too long */
    struct arena_mem mem;
    struct arena room;      /* points at mem: do not move a struct lines that was opened */
};

/* Opens a file, or standard input if name is "-".  The caller has set l to zero, or has opened l with this `most`
 * before and closed it; in the second case the buffer of l is used again. */
int lines_open(struct lines *l, const char *name, char end, size_t most, struct arena *a, struct err *e);
int lines_next(struct lines *l, struct span *line, struct err *e);
void lines_close(struct lines *l);

/* Returns a struct lines from which lines_next takes the lines of a text in memory. */
struct lines lines_of(struct span text);

/* Takes the next line that is not empty, from a text file that was written by hand.  Returns what lines_next does, and
 * -1 also if the line is not UTF-8 or contains a NUL; err then names the line. */
int text_line(struct lines *l, struct span *line, struct err *e);

#endif
