/* best.h - the k best records of a stream, in memory that does not grow with the stream
 *
 * What     topk.h keeps the scores; shelf.h keeps the records' bytes.
 * Memory   48 bytes for each of the k records, and twice the bytes of the k records (shelf.h).
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

/* Copies a record's bytes into b if the score is among the k best so far.  Returns 0, also if the record is not kept,
 * or -1 if memory runs out. */
int best_offer(struct best *b, double score, struct span bytes, struct err *e);

/* Sorts the kept records, the best first.  The caller calls this once, after the last best_offer.  Then best_get
 * returns the bytes and the score of the record at place i. */
void best_sort(struct best *b);
struct span best_get(const struct best *b, size_t i, double *score);

#endif
