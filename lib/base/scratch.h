/* scratch.h - cut one block of scratch into aligned pieces
 *
 * What     A network states the bytes of scratch that a run needs, and the caller takes a block of
 *          that size once.  The network cuts the block with scratch_cut.  To find the size, the
 *          network makes the same calls of scratch_cut with a NULL base, which only count.
 * Shapes   Pieces are aligned to ARENA_ALIGN if the block is.
 */
#ifndef UNCLIP_SCRATCH_H
#define UNCLIP_SCRATCH_H

#include "lib/base/arena.h"
#include "lib/base/size.h"

struct scratch {
    char *base;     /* the block, or NULL to count the bytes only */
    size_t used;    /* bytes that were cut off so far */
};

static inline void *scratch_cut(struct scratch *s, size_t n, size_t size) {
    char *p = s->base ? s->base + s->used : NULL;

    s->used += round_up(n * size, ARENA_ALIGN);
    return p;
}

#endif
