/* items.h - lines, or items that end in NUL, one at a time as they arrive
 *
 * What     What a pipe brings is handed out as soon as an item is whole; the last one need not
 *          be ended.  An empty item is an item.  Of lines, a byte order mark at the very start
 *          and a carriage return at the end are not part.
 * Errors   items_next: 1 item, 0 end, -1 this one is longer than `most` (passed over, the next
 *          call goes on), -2 cannot be read any more; with errno EINTR a signal came while it
 *          waited, and the next call goes on.
 * Memory   One buffer that grows as data arrives, to `most` bytes and a little.  An item lives
 *          until the next call.
 */
#ifndef UNCLIP_ITEMS_H
#define UNCLIP_ITEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/span.h"

struct items {
    int fd;
    char end;               /* '\n' or 0 */
    size_t most;
    char *buf;
    size_t at, len, cap;    /* next byte, end of what was read, room */
    size_t seen;            /* no end of an item in buf before this */
    uint64_t number;        /* of the item handed out last, from 1 */
    bool eof, drop;         /* drop: inside an item that is too long */
    struct arena_mem mem;
    struct arena room;
};

/* name "-" is standard input. */
int items_open(struct items *t, const char *name, char end, size_t most, struct arena *a, struct err *e);
int items_next(struct items *t, struct span *item, struct err *e);
void items_close(struct items *t);

#endif
