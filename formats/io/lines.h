/* lines.h - lines, or items that end in NUL, one at a time as they arrive
 *
 * What     What a pipe brings is handed out as soon as a line is whole.  The last line need not have an end.  An
 *          empty line is a line.  A byte order mark at the very start and a carriage return at the end are not
 *          part of a line; they are part of an item that ends in NUL.
 * Errors   lines_next returns 1 for a line and 0 at the end.  -1: the line is longer than `most` bytes; it is passed
 *          over, and the next call goes on.  -2: the file cannot be read any more; where errno is EINTR, a signal came
 *          while lines_next waited, and the next call goes on.
 * Memory   One buffer that grows as data arrives, to `most` bytes and a little.  A line lives until the next call.
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
    char end;               /* '\n' or 0 */
    size_t most;
    const char *text;       /* what has been read and not yet handed out, in buf or in memory */
    char *buf;
    size_t at, len, cap;    /* next byte, end of what was read, room */
    size_t seen;            /* no end of a line in text before this */
    uint64_t number;        /* of the line handed out last, from 1 */
    bool eof, drop;         /* drop: inside a line that is too long */
    struct arena_mem mem;
    struct arena room;      /* points at mem: do not move a struct lines that was opened */
};

/* name "-" is standard input.  l is zero, or was opened with this `most` and closed: its buffer is used again. */
int lines_open(struct lines *l, const char *name, char end, size_t most, struct arena *a, struct err *e);
int lines_next(struct lines *l, struct span *line, struct err *e);
void lines_close(struct lines *l);

/* The lines of a text in memory. */
struct lines lines_of(struct span text);

/* The next line of a file that people wrote; empty lines are passed over.  -1: it is not UTF-8, or holds a NUL; err
 * names the line. */
int text_line(struct lines *l, struct span *line, struct err *e);

#endif
