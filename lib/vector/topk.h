/* topk.h - the k best of a stream of scores
 *
 * What     A heap whose root is the worst score that is kept.  One comparison (topk_accepts)
 *          rejects most scores of a long stream; the others cost O(log k).  Equal scores
 *          rank in the order in which they were added, for any k: the k best are the first k of a
 *          stable sort.  Hence lists can be merged: if the k best scores of each shard are added
 *          in the order of the shards, the result is the k best scores of all shards.  Each score
 *          in the list has a slot in [0, k) of its own, for the data that belong to it.
 * Source   Williams 1964, "Algorithm 232: Heapsort", Communications of the ACM 7(6).
 * Errors   topk_start returns 0, or -1 if memory is exhausted; k may be 0.  Scores must not be
 *          NaN.
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
    uint64_t order;    /* the number of scores that were added before this one */
    size_t slot;
};

struct topk {
    struct topk_item *item;    /* [n]: heap, worst first; after topk_sort best first */
    size_t n, k;
    uint64_t order;
};

int topk_start(struct topk *t, size_t k, struct arena *a);

/* Empties the list.  After topk_sort, the caller must call topk_clear before the next topk_add. */
void topk_clear(struct topk *t);

/* Returns true if a score that is added now would be kept. */
static inline bool topk_accepts(const struct topk *t, double score) {
    return t->n < t->k || (t->k && score > t->item[0].score);
}

/* Adds a score for which topk_accepts is true, and returns its slot.  If the list was full, the worst score is dropped
 * and the new score gets the slot of the dropped one. */
size_t topk_add(struct topk *t, double score);

/* Sorts the items, best first. */
void topk_sort(struct topk *t);

#endif
