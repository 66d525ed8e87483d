/* best.h - the k best records of a stream, in memory that does not grow with it
 *
 * What     topk.h keeps the scores, shelf.h the records' bytes.
 * Memory   48 bytes for each of k, and twice the bytes of the k records (shelf.h).
 */
#ifndef UNCLIP_BEST_H
#define UNCLIP_BEST_H

#include "formats/record/record.h"
#include "lib/vector/shelf.h"
#include "lib/vector/topk.h"

struct best {
    struct topk top;
    struct shelf shelf;
};

int best_start(struct best *b, size_t k, struct arena *a, struct err *e);
void best_clear(struct best *b);

/* Offer a record's bytes.  They are copied if the score is among the k best so far. */
int best_offer(struct best *b, double score, struct span bytes, struct err *e);

/* Sort, the best first.  To be called once, after the last offer. */
void best_sort(struct best *b);
struct span best_get(const struct best *b, size_t i, double *score);

#endif
