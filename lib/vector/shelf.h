/* shelf.h - a fixed number of byte strings that can be replaced
 *
 * What     Holds the records of the k best results: slot i holds one string, of any length.
 *          Strings are appended to one region.  When more than half of the region belongs to strings that were
 *          replaced, the other strings are moved together.  So shelf_put costs O(length of the string) on
 *          average, and an endless stream needs at most
 *              2 x (bytes in use) + the longest string + SHELF_SLACK.
 * Source   Compaction as in Lisp 2's garbage collector (Knuth, The Art of Computer Programming, volume 1, 2.5).
 * Errors   shelf_put returns -1 when the region is full: the strings in use and the new one do not fit.
 * Threads  Re-entrant; no global state.  Pointers from shelf_get are valid until the next shelf_put.
 */
#ifndef UNCLIP_SHELF_H
#define UNCLIP_SHELF_H

#include <stddef.h>

#include "lib/base/arena.h"

#define SHELF_SLACK ((size_t)1 << 20)

struct shelf {
    struct arena_mem mem;
    struct arena room;          /* the region that holds the strings */
    char *base;
    size_t used, cap, live;     /* bytes appended, bytes available at base, bytes of strings in use */
    struct shelf_slot {
        size_t at, n;
    } *slot;                    /* [n] */
    size_t *order;              /* [n], scratch for moving the strings together */
    size_t n;
};

/* Makes n empty slots, with `room` bytes of address space for the strings.  Returns 0, or -1 if memory runs out. */
int shelf_start(struct shelf *s, size_t n, size_t room, struct arena *a);

void shelf_clear(struct shelf *s);
int shelf_put(struct shelf *s, size_t slot, const void *p, size_t n);
const void *shelf_get(const struct shelf *s, size_t slot, size_t *n);

#endif
