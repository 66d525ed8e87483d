/* json_lines.h - JSON objects, each on one line or on several, one at a time
 *
 * What     One object at a time: one line in JSON lines, several where it was printed for people.  Blank lines are
 *          passed over.  A line that begins with { begins an object: after an object that is never closed,
 *          reading goes on there.
 * Errors   As lines.h.  An object of several lines may be as long as one line.
 * Memory   That of lines.h, twice.  What is handed out lives until the next call.
 */
#ifndef UNCLIP_JSON_LINES_H
#define UNCLIP_JSON_LINES_H

#include "formats/io/lines.h"

struct json_lines {
    struct lines lines;
    struct span line;             /* the line read last */
    bool held;                    /* it begins the next object */
    char *buf;                    /* an object of several lines */
    size_t n, cap;
    struct arena_mem mem;
    struct arena room;            /* points at mem: do not move a struct json_lines that was opened */
};

/* As lines_open. */
int json_lines_open(struct json_lines *j, const char *name, size_t most, struct arena *a, struct err *e);

/* *first: the number of the object's first line. */
int json_lines_next(struct json_lines *j, struct span *object, uint64_t *first, struct err *e);
void json_lines_close(struct json_lines *j);

#endif
