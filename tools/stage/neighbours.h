/* neighbours.h - labels from the nearest labelled vectors (k-NN), or from labelled vectors and texts (Tip-Adapter)
 *
 * What     k-NN: the k labelled vectors with the largest cosines vote for their classes.  Of vectors with equal
 *          cosines, the earlier one comes first.  A vote counts exp(cos / 0.07), or 1 if `plain` is set.
 *          Tip-Adapter: logits = 100 f T^T + alpha sum over the support vectors s of the class exp(-beta (1 - f s)),
 *          where f is the vector to classify, the support vectors are the labelled vectors, and T are the texts'
 *          vectors.  All vectors have length one.
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
    bool plain;                      /* k-NN: true: each vote counts 1 */
    const float *text;               /* Tip-Adapter: the texts' vectors [classes, d], of length one; NULL for k-NN */
    char text_key[LABELS_KEY];       /* identifies the texts or their vectors */
    const char *text_precision;      /* precision of the tower that embedded the texts; NULL if the file held vectors */
    double alpha, beta;
    /* state */
    float *support;                  /* [n, d] the labelled vectors, scaled to length one */
    double *cos, *q;                 /* [n] the cosines; [d] the vector to classify */
    struct topk nearest;             /* k-NN: the cosines of the k vectors that vote */
    uint32_t *best;                  /* [k] the number of the vector in each slot of `nearest` */
};

int neighbours_open(struct neighbours *v, struct arena *keep, struct err *e);

/* Sorts the vectors v [n, d] of texts, whose names are name [n], into the order of f's classes.  Returns the result
 * [classes, d].  Returns NULL if a class has no text (the message in e names the class) or d is not the width of f. */
const float *neighbours_texts(const struct features *f, const struct span *name, const float *v, size_t n, size_t d,
                              struct arena *keep, struct err *e);

/* Opens the labels of `from` and sets v->text, v->text_key and v->text_precision.  The vectors are in memory from the
 * arena a. */
int neighbours_classes(struct neighbours *v, const struct query_source *from, struct arena *a, struct err *e);

/* Classifies the vector x [d] of the type dt.  Writes into score [classes] the sums of votes with k-NN, or the logits
 * with Tip-Adapter.  Returns SIM_OK, or what is wrong with x (similarity.h). */
int neighbours_run(struct neighbours *v, enum dtype dt, const void *x, double *score);

#endif
