/* neighbours.h - labels from the nearest labelled vectors (k-NN), or from labelled vectors and texts (Tip-Adapter)
 *
 * What     k-NN: the k vectors of largest cosine (of equal cosines the earlier vector) vote for their classes.  Each
 *          vote counts exp(cos / 0.07), or 1 where votes are plain.
 *          Tip-Adapter: logits = 100 f T^T + alpha sum over the support vectors s of the class exp(-beta (1 - f s)),
 *          where f is the vector to classify and T are the texts' vectors.  All vectors have length one.
 * Source   Caron et al. 2021, arXiv:2104.14294 (the weights of the votes); Zhang et al. 2021,
 *          arXiv:2111.03930, gaopengcuhk/Tip-Adapter @d0e2d6f.
 * Numbers  Cosines are computed in f64 (similarity.h).  Sums are in the order of the support vectors, so the result
 *          does not depend on the number of threads.
 */
#ifndef UNCLIP_NEIGHBOURS_H
#define UNCLIP_NEIGHBOURS_H

#include "lib/base/compute.h"
#include "lib/vector/similarity.h"
#include "lib/vector/topk.h"
#include "tools/stage/features.h"
#include "tools/stage/query.h"

struct neighbours {
    const struct features *f;        /* the labelled vectors */
    const struct sim_kern *sim;
    struct pool *pool;
    size_t k;                        /* k-NN: how many vectors vote */
    bool plain;                      /* k-NN: each vote counts 1 */
    const float *text;               /* Tip-Adapter: the texts' vectors [classes, d], of length one; NULL for k-NN */
    char text_key[LABELS_KEY];       /* identifies the texts or their vectors */
    const char *text_precision;      /* of the tower that embedded the texts, or NULL if the file held vectors */
    double alpha, beta;
    /* state */
    float *support;                  /* [n, d] of length one */
    double *cos, *q;                 /* [n], [d] */
    struct topk nearest;             /* k-NN: of the k vectors that vote, the cosines */
    uint32_t *best;                  /* [k] the vector in each slot of nearest */
};

int neighbours_open(struct neighbours *v, struct arena *keep, struct err *e);

/* Returns the vectors v [n, d] of named texts in the order of f's classes, [classes, d].  Returns NULL where a class
 * has no text, which e names, or where d is not the width of f. */
const float *neighbours_texts(const struct features *f, const struct span *name, const float *v, size_t n, size_t d,
                              struct arena *keep, struct err *e);

/* Opens the labels of `from` and sets v->text, text_key and text_precision.  The arena a keeps the vectors. */
int neighbours_classes(struct neighbours *v, const struct query_source *from, struct arena *a, struct err *e);

/* Writes the scores of x [d], whose type is dt, into score [classes]: sums of votes with k-NN, logits with Tip-Adapter.
 * Returns SIM_OK, or what is wrong with x (similarity.h). */
int neighbours_run(struct neighbours *v, enum dtype dt, const void *x, double *score);

#endif
