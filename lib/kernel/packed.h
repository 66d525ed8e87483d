/* packed.h - the list of blocks that binding a network makes
 *
 * What     Binding a network makes blocks of bytes from its tensors: packed matrices, joined
 *          biases, vectors as f32.  Their order and sizes depend on the network and the kernel
 *          only.  A list of the blocks in the order of their making is enough to bind the
 *          network again without reading its tensors.  formats/checkpoint/pack_cache.h keeps the list in a
 *          file.
 *
 *              noting    the list is empty at first, and each new block is added to the list;
 *              finding   the list is full at first, and each block is taken from the list.
 * Errors   packed_next returns NULL when the list ends or a size differs.  The list then belongs
 *          to another network, and the caller binds again without the list.  If the list is full
 *          while noting, packed_note sets `lost`: the network is still bound, but the list
 *          cannot be kept.
 * Memory   The list owns no memory.
 */
#ifndef UNCLIP_PACKED_H
#define UNCLIP_PACKED_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/kernel/kern.h"

/* A part of the key under which a list is kept.  Increment PACKED_LAYOUT whenever packing gives other bytes, or
 * a network is bound in another order; tests/unit/packed.c fails when this was forgotten. */
enum { PACKED_LAYOUT = 2 };

enum { PACKED_MOST = 1 << 14 };    /* the largest number of blocks of a network */

struct packed_block {
    const void *p;
    size_t n;
};

struct packed {
    struct packed_block *block;    /* [room] */
    size_t n, room;
    size_t next;                   /* while finding, the index of the block to be taken next */
    bool finding, lost;
};

/* Returns true if a list of this kernel's blocks is worth keeping.  The tables with gemm do not pack matrices. */
bool packed_useful(const struct kern *k);

/* packed_finding returns true if the list is used for finding.  packed_next returns the next block, which must have n
 * bytes.  packed_note adds a block to a list that is used for noting.  In packed_finding and packed_note p may be NULL,
 * which means neither finding nor noting. */
bool packed_finding(const struct packed *p);
const void *packed_next(struct packed *p, size_t n);
void packed_note(struct packed *p, const void *block, size_t n);

/* To be called when finding has ended: returns true if every block of the list was taken. */
bool packed_used_up(const struct packed *p);

#endif
