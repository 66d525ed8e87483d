/* classify.h - what probe says about one vector: labels with probabilities, or a score
 *
 * What     One interface to classifiers and heads from a file (head_file.h) and to the nearest labelled vectors
 *          (neighbours.h).
 * Units    `logit` is the score before softmax, sigmoid and temperature.  A head with one output z for two classes
 *          gives the logits -z and z.  With k-NN, `logit` is the sum of the class's votes.  `prob` is the probability
 *          of the label; with k-NN it is the label's share of the votes.
 * Errors   A vector of zeros if vectors are scaled to length one, a vector that is not finite, a vector of another
 *          width or model.
 */
#ifndef UNCLIP_CLASSIFY_H
#define UNCLIP_CLASSIFY_H

#include "formats/checkpoint/head_file.h"
#include "formats/record/table.h"
#include "lib/vector/topk.h"
#include "tools/stage/neighbours.h"

struct verdict {
    struct span label;    /* label.p is NULL if the head gives a score without labels */
    double prob, logit;   /* without labels, `logit` is the score */
};

struct classify {
    /* the caller sets either head or near; the other is NULL */
    const struct head_file *head;
    struct neighbours *near;
    /* what the caller asks for */
    const char *field;
    struct span model;        /* fingerprint of the model whose vectors are expected; empty if unknown */
    bool force;
    size_t k;                 /* how many labels each vector gets */
    double temperature;
    double min_prob;          /* the program leaves out records whose best label is less probable; negative: none */
    const struct sim_kern *sim;
    const char *normalise, *hidden;    /* the values of these options for params; NULL if an option was not given */
    /* state */
    size_t classes, outputs;
    const struct span *label;
    float *x;
    double *y, *prob;
    void *scratch;
    struct topk top;          /* the logits of the k best classes */
    size_t *best;             /* [k] the number of the class in each slot of `top` */
    struct verdict *verdict;  /* [k] what classify_run found, best first */
};

int classify_open(struct classify *c, struct arena *keep, struct err *e);

/* Sets *out to the map that is added to the record's params.  `hash` identifies the head or the labelled vectors. */
int classify_params(const struct classify *c, const char *hash, struct span *out, struct arena *a, struct err *e);

/* Classifies r's vector and writes the verdicts into c->verdict.  Returns the number of verdicts.  Returns -2 if the
 * vector is of another width or model, and -1 for another error. */
int classify_run(struct classify *c, const struct record *r, struct arena scratch, struct err *e);

/* Writes the n verdicts into fields of r: label, prob and logit (arrays if k > 1), or score if the classifier has no
 * labels. */
int classify_set(const struct classify *c, struct record *r, size_t n, struct arena *a, struct err *e);

/* classify_columns returns the names of the table's columns and sets *n to their number.  classify_rows writes a row
 * for each of the n verdicts on the record r. */
const char *const *classify_columns(const struct classify *c, size_t *n);
void classify_rows(const struct classify *c, struct table *t, const struct record *r, size_t n);

#endif
