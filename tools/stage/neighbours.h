/* neighbours.h - labels from the nearest labelled vectors, and from them together with texts (Tip-Adapter)
 *
 * What     k-NN: the k vectors of largest cosine (ties to the earlier one) vote for their classes, each with
 *          exp(cos / 0.07), or with 1 where votes are plain.
 *          Tip-Adapter: logits = 100 f T^T + alpha sum over the support vectors s of the class exp(-beta (1 - f s)),
 *          with the texts' vectors T; all vectors of length one.
 * Source   Caron et al. 2021, arXiv:2104.14294 (the weights of the votes); Zhang et al. 2021,
 *          arXiv:2111.03930, gaopengcuhk/Tip-Adapter @d0e2d6f.
 * Numbers  Cosines in f64 (similarity.h); sums in the order of the support, so any number of threads gives the
 *          same bytes.
 */
#ifndef UNCLIP_NEIGHBOURS_H
#define UNCLIP_NEIGHBOURS_H

#include "lib/base/compute.h"
#include "lib/vector/similarity.h"
#include "tools/stage/features.h"

struct neighbours {
    const struct features *f;        /* the labelled vectors */
    const struct sim_kern *sim;
    struct pool *pool;
    size_t k;                        /* k-NN: how many vote */
    bool plain;                      /* votes count 1 */
    const float *text;               /* Tip-Adapter: [classes, d] of length one, or NULL: k-NN */
    double alpha, beta;
    /* state */
    float *support;                  /* [n, d] of length one */
    double *cos, *q;                 /* [n], [d] */
    uint32_t *best;                  /* [k] */
};

int neighbours_open(struct neighbours *v, struct arena *keep, struct err *e);

/* The vectors of n named texts in the order of f's classes, [classes, d]; NULL naming a class without a text. */
const float *neighbours_texts(const struct features *f, const struct span *name, const float *v, size_t n, size_t d,
                              struct arena *keep, struct err *e);

/* score [classes]: sums of votes, or logits.  SIM_OK, or what is wrong with x [d] of that type. */
int neighbours_run(struct neighbours *v, enum dtype dt, const void *x, double *score);

#endif
