/* packed.h - what was made of a checkpoint's numbers when a network was bound
 *
 * What     Binding a network makes blocks of bytes out of its tensors: packed matrices, joined
 *          biases, vectors as f32.  It makes them in an order and in sizes that depend on the
 *          network and the kernel only.  So a list of them, in that order, is all it takes to bind
 *          the same network again without reading its tensors: formats/checkpoint/pack_cache.h keeps
 *          the list in a file.
 *
 *              noting    the list is empty at first, each block made is added to it;
 *              finding   the list is full at first, each block is taken from it.
 * Errors   packed_next returns NULL when the list ends or the sizes differ: it is another
 *          network's, and the caller binds again without it.  Noting gives up when the list is full
 *          (`lost`): nothing is wrong then but that the list cannot be kept.
 * Memory   Owns nothing.
 */
#ifndef UNCLIP_PACKED_H
#define UNCLIP_PACKED_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/kernel/kern.h"

/* Part of the key of what is kept.  Count it up whenever other bytes come out of packing, or
 * a network is bound in another order; tests/unit/packed.c notices when that was forgotten. */
enum { PACKED_LAYOUT = 2 };

enum { PACKED_MOST = 1 << 14 };    /* blocks of a network */

struct packed_block {
    const void *p;
    size_t n;
};

struct packed {
    struct packed_block *block;    /* [room] */
    size_t n, room;
    size_t next;                   /* finding: the block to be taken next */
    bool finding, lost;
};

/* Is it worth keeping what this kernel makes?  The tables that take matrices where they lie pack
 * nothing. */
bool packed_useful(const struct kern *k);

/* p may be NULL in all of these: neither finding nor noting. */
bool packed_finding(const struct packed *p);
const void *packed_next(struct packed *p, size_t n);
void packed_note(struct packed *p, const void *block, size_t n);

/* After finding: was every block taken? */
bool packed_used_up(const struct packed *p);

#endif
