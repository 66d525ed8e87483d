/* json_lines.h - JSON objects, each on one line or on several, one at a time
 *
 * What     Hands out one object at a time.  In JSON lines an object is one line; an object that was printed for people
 *          takes several lines.  Blank lines are passed over.  A line that begins with { begins an object.  So after an
 *          object that is never closed, reading goes on at the next such line.
 * Errors   Those of lines.h.  An object of several lines may be as long as one line.
 * Memory   Twice the memory of lines.h.  What is handed out lives until the next call.
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

/* Names and buffers as in lines_open. */
int json_lines_open(struct json_lines *j, const char *name, size_t most, struct arena *a, struct err *e);

/* *first is the number of the object's first line. */
int json_lines_next(struct json_lines *j, struct span *object, uint64_t *first, struct err *e);
void json_lines_close(struct json_lines *j);

#endif
