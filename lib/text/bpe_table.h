/* bpe_table.h - the hash table from pairs to merges and the special tokens' names, for lib/text/bpe*.c only */
#ifndef UNCLIP_BPE_TABLE_H
#define UNCLIP_BPE_TABLE_H

#include "lib/text/bpe.h"

#define BPE_SOT "<|startoftext|>"
#define BPE_EOT "<|endoftext|>"

/* Returns the slot that holds the id of the pair (left, right), or the free slot where this id belongs. */
static inline uint32_t *bpe_slot(const struct bpe *b, uint32_t left, uint32_t right) {
    uint64_t x = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;

    for (size_t h = (size_t)(x >> 32 ^ x);; h++) {
        uint32_t *p = &b->slot[h & b->mask];
        if (*p == 0)
            return p;
        const struct bpe_pair *q = &b->pair[*p - BPE_BYTES];
        if (q->left == left && q->right == right)
            return p;
    }
}

#endif
