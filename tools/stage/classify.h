/* classify.h - what probe says about one vector: labels with probabilities, or a score
 *
 * What     One face for classifiers and heads from a file (head_file.h), and for the nearest labelled vectors
 *          (neighbours.h).
 * Units    logit: the score that the softmax, the sigmoid or the temperature has not touched; with two classes
 *          from one output z, -z and z; of k-NN the class's votes.  prob: the probability of that label, of
 *          k-NN its share of the votes.
 * Errors   A vector that is zero where it is scaled, that is not finite, or of another width or model.
 */
#ifndef UNCLIP_CLASSIFY_H
#define UNCLIP_CLASSIFY_H

#include "formats/checkpoint/head_file.h"
#include "formats/record/table.h"
#include "tools/stage/neighbours.h"

struct verdict {
    struct span label;    /* p NULL: a score */
    double prob, logit;   /* logit: the score */
};

struct classify {
    /* one of the two */
    const struct head_file *head;
    struct neighbours *near;
    /* what is asked for */
    const char *field;
    struct span model;        /* the vectors' fingerprint; empty: not known */
    bool force;
    size_t k;                 /* labels of each vector */
    double temperature;
    const struct sim_kern *sim;
    /* state */
    size_t classes, outputs;
    const struct span *label;
    float *x;
    double *y, *prob;
    void *scratch;
    struct verdict *verdict;  /* [k], best first */
};

int classify_open(struct classify *c, struct arena *keep, struct err *e);

/* What goes into params: hash tells which head or labelled vectors. */
int classify_params(const struct classify *c, const char *hash, struct span *out, struct arena *a, struct err *e);

/* The verdicts of r's vector into c->verdict: how many, or -1; -2: the vector is of another width or model. */
int classify_run(struct classify *c, const struct record *r, struct arena scratch, struct err *e);

/* As fields: label, prob, logit (arrays where k > 1), or score. */
int classify_set(const struct classify *c, struct record *r, size_t n, struct arena *a, struct err *e);

/* The columns of a table, and a row for each verdict. */
const char *const *classify_columns(const struct classify *c, size_t *n);
void classify_rows(const struct classify *c, struct table *t, const struct record *r, size_t n);

#endif
