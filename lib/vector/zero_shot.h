/* zero_shot.h - zero-shot classification: the labels that are nearest to a vector
 *
 * What     Computes the cosines of a vector with the vectors of all labels and the softmax over all labels of
 *          scale x cos.  The result is those of the k best labels that pass two thresholds.
 * Source   Radford et al. 2021, arXiv:2103.00020, section 3.1.
 * Shapes   labels [n, d] f32, each row of length one; the vector [d] f32 or f16, any
 *          alignment.
 * Numbers  As in similarity.h, results have the same bits for any number of threads.  Equal cosines (labels
 *          that occur twice) keep the order of the labels.
 * Threads  The labels are split over the pool if there are enough of them.
 */
#ifndef UNCLIP_ZERO_SHOT_H
#define UNCLIP_ZERO_SHOT_H

#include "lib/base/pool.h"
#include "lib/vector/similarity.h"
#include "lib/vector/topk.h"

struct zero_shot_hit {
    size_t label;
    double cos, prob;
};

struct zero_shot {
    const float *labels;
    size_t n, d, k;
    double scale, min_cos, min_prob;
    const struct sim_kern *kern;
    struct pool *pool;
    /* the vector that is classified */
    struct sim_query q;
    double *row, *cos;             /* [d], [n] */
    struct topk top;
    size_t *owner;                 /* [k]: the label of each slot */
    struct zero_shot_hit *hit;     /* [k]: the result, best first */
};

/* The caller fills in the fields up to `pool`; then zero_shot_start takes memory for the others and reduces k to n if k
 * is larger.  Returns 0, or -1 if memory runs out. */
int zero_shot_start(struct zero_shot *z, struct arena *a);

/* Classifies x.  Returns SIM_OK and writes the number of results in z->hit into *hits; or returns what is
 * wrong with x. */
int zero_shot_run(struct zero_shot *z, enum dtype dt, const void *x, size_t *hits);

#endif
