/* topk.h - the k best of a stream of scores
 *
 * What     A heap whose root is the worst that is kept, so that most of a long stream is
 *          turned away by one comparison (topk_accepts), and the rest costs O(log k).
 *          Equal scores rank in the order in which they came, whatever k is: the k best
 *          are the first k of a stable sort.  Hence lists can be merged: the k best of
 *          shards, fed in the shards' order, give the k best of the whole.
 *          Each kept score has a slot in [0, k) of its own, for what belongs to it.
 * Errors   topk_start fails when memory is out; k may be 0.  Scores must not be NaN.
 * Threads  Re-entrant; no global state.
 */
#ifndef UNCLIP_TOPK_H
#define UNCLIP_TOPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"

struct topk_item {
    double score;
    uint64_t order;    /* how many were added before */
    size_t slot;
};

struct topk {
    struct topk_item *item;    /* [n]: heap, worst first; after topk_sort best first */
    size_t n, k;
    uint64_t order;
};

int topk_start(struct topk *t, size_t k, struct arena *a);

/* Empty again; after topk_sort this must come before the next topk_add. */
void topk_clear(struct topk *t);

/* Would a score that comes now be kept? */
static inline bool topk_accepts(const struct topk *t, double score) {
    return t->n < t->k || (t->k && score > t->item[0].score);
}

/* Keep a score that is accepted.  Returns the slot that is its own now; when the list was
 * full, what lay there belonged to the one that fell out. */
size_t topk_add(struct topk *t, double score);

/* Best first. */
void topk_sort(struct topk *t);

#endif
