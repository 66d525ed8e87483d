/* lines.h - lines of text from a file or a pipe, and JSON values that span some of them
 *
 * What     lines_next gives one line at a time, without its end (newline or NUL); the last may lack
 *          it.  lines_json gives one JSON object at a time: one line in JSON lines, several
 *          where it was printed for people; blank lines are passed over.  A line that begins
 *          with { begins an object: after one that is never closed, reading goes on there.
 * Memory   A buffer that grows with the longest line, within the room given to lines_open.  What
 *          is handed out lives until the next call.
 * Errors   1 a line, 0 the end, -1 it is longer than the room (it is passed over; the caller may go
 *          on), -2 the system's reason.
 */
#ifndef UNCLIP_LINES_H
#define UNCLIP_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "formats/record/mp.h"

struct lines {
    int fd;
    char end;                  /* '\n' or 0 */
    bool eof, held;            /* held: the line in `line` is to be given again */
    char *buf;
    size_t at, len, cap;
    uint64_t number;           /* of the line given last, from 1 */
    struct span line;
    struct mp value;           /* lines_json: an object of several lines */
    struct arena_mem mem, value_mem;
    struct arena room, value_room;    /* point at the mems: do not move a struct lines */
};

/* name "-" is standard input.  A struct that is not all zero was closed before: its buffers are used
 * again. */
int lines_open(struct lines *l, const char *name, char end, struct arena *a, size_t room, struct err *e);
int lines_next(struct lines *l, struct span *s, struct err *e);
int lines_json(struct lines *l, struct span *s, uint64_t *first, struct err *e);
void lines_close(struct lines *l);

#endif
