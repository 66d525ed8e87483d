/* zero_shot.h - which labels a vector is most like
 *
 * What     Cosines with all labels' vectors, softmax over all labels of scale x cos, and of
 *          these the k best that pass two thresholds.
 * Source   Radford et al. 2021, arXiv:2103.00020, section 3.1.
 * Shapes   labels [n, d] f32, each row of length one; the vector [d] f32 or f16, any
 *          alignment.
 * Numbers  As similarity.h: the same bits for any number of threads.  Equal cosines (labels
 *          that occur twice) keep the labels' order.
 * Threads  The labels are spread over the pool where there is enough to do.
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
    /* the vector at hand */
    struct sim_query q;
    double *row, *cos;             /* [d], [n] */
    struct topk top;
    size_t *owner;                 /* [k]: label of a slot */
    struct zero_shot_hit *hit;     /* [k]: the result, best first */
};

/* Fill in all but the last group, then take memory: 0 or -1.  k is cut to n. */
int zero_shot_start(struct zero_shot *z, struct arena *a);

/* SIM_OK and *hits, or what is wrong with the vector. */
int zero_shot_run(struct zero_shot *z, enum dtype dt, const void *x, size_t *hits);

#endif
