/* scratch.h - cut one block of scratch into aligned pieces
 *
 * What     A network states the bytes of scratch that a run needs, and the caller takes them
 *          once.  The network cuts the block by scratch_cut.  It makes the same calls with a NULL
 *          base to find out how many bytes they need.
 * Shapes   Pieces are aligned to ARENA_ALIGN when the block is.
 */
#ifndef UNCLIP_SCRATCH_H
#define UNCLIP_SCRATCH_H

#include "lib/base/arena.h"
#include "lib/base/size.h"

struct scratch {
    char *base;     /* NULL: count only */
    size_t used;    /* bytes */
};

static inline void *scratch_cut(struct scratch *s, size_t n, size_t size) {
    char *p = s->base ? s->base + s->used : NULL;

    s->used += round_up(n * size, ARENA_ALIGN);
    return p;
}

#endif
