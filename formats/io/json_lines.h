/* json_lines.h - read JSON objects, each on one line or on several, one at a time
 *
 * What     json_lines_next hands out one object at a time.  In JSON lines an object is one line; an object that was
 *          printed for people takes several lines.  Blank lines are skipped.  A line that begins with { begins an
 *          object.  So after an object that is never closed, reading goes on at the next line that begins with {.
 * Errors   json_lines_next returns what lines_next does (lines.h).  The limit `most` holds for a line and for an object
 *          of several lines.
 * Memory   Twice the memory of lines.h.  An object lives until the next call.
 */
#ifndef UNCLIP_JSON_LINES_H
#define UNCLIP_JSON_LINES_H

#include "formats/io/lines.h"

struct json_lines {
    struct lines lines;
    struct span line;             /* the line read last */
    bool held;                    /* `line` begins the next object and was not handed out yet */
    char *buf;                    /* an object of several lines: n bytes are used, cap bytes fit */
    size_t n, cap;
    struct arena_mem mem;
    struct arena room;            /* points at mem: do not move a struct json_lines that was opened */
};

/* Opens a file, or standard input if name is "-".  The caller has set j to zero, or has opened j with this `most`
 * before and closed it; in the second case the buffers of j are used again. */
int json_lines_open(struct json_lines *j, const char *name, size_t most, struct arena *a, struct err *e);

/* Makes *object the text of the next object, and *first the number of the line that the object begins on. */
int json_lines_next(struct json_lines *j, struct span *object, uint64_t *first, struct err *e);
void json_lines_close(struct json_lines *j);

#endif
