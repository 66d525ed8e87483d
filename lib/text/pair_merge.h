/* pair_merge.h - byte pair encoding's merges of a long piece
 *
 * What     Repeats one step until no neighbours can be merged: of all pairs of neighbours, the pair with the lowest
 *          rank is merged into one id; of pairs with equal rank, the leftmost is merged.
 * Source   Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units (2016), algorithm 1.
 *          The paper's algorithm merges all places of a pair before it goes on.  The result is the same if every merge
 *          has a higher rank than the merges that make its parts.  Training gives the ranks in this order.
 * Speed    n log n, by a heap of the pairs.
 * Memory   24 bytes for each id, from scratch.
 */
#ifndef UNCLIP_PAIR_MERGE_H
#define UNCLIP_PAIR_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"

struct merge {
    uint32_t rank, id;    /* the id is what the two neighbours become */
};

/* Finds the merge of two neighbours in a tokenizer's table.  Returns false if the table does not merge them. */
typedef bool merge_find(const void *table, uint32_t left, uint32_t right, struct merge *m);

/* Merges the n ids at `id` in place.  UINT32_MAX is not a valid id.  Returns how many ids are left, or 0 when n is 0 or
 * the scratch memory does not suffice. */
size_t pair_merge(const void *table, merge_find *find, uint32_t *id, size_t n, struct arena scratch);

#endif
