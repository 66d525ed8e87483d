/* logreg.h - logistic regression with a quadratic penalty, to the optimum
 *
 * What     Minimises scikit-learn's objective divided by C times the sum of the sample weights:
 *              J(W, b) / (C S) = 1/S sum_i s_i ce(W x_i + b, y_i) + |W|^2 / (2 C S),     S = sum_i s_i
 *          ce is the cross entropy of a softmax over K >= 3 classes.  With K = 2 there is one row of weights
 *          and ce = log(1 + exp(-t (w.x + b))), t = 1 for class 1 and -1 for class 0.  The intercept b is not
 *          penalised.  The minimum is unique up to a common shift of b, which stays at sum b = 0.
 * Source   scikit-learn 1.9, sklearn/linear_model/_logistic.py, solver "lbfgs"; Radford et al. 2021,
 *          arXiv:2103.00020, appendix A.3 (linear probes).  Preconditioner: Boehning 1992,
 *          doi:10.1007/BF00048682: the Hessian is bounded by a multiple of (I - 11^T / K) (x) X^T X.
 * Shapes   Rows x_i: [n, d] f32; y [n] in 0..K-1; theta [k, d + 1] f64, row j is weight j and then bias j;
 *          k = 1 for two classes, else K.
 * Numbers  Sums of losses, gradients and theta in f64.  Small problems (LOGREG_EXACT operations a gradient)
 *          multiply in f64 too; larger ones multiply in f32, block by block of LOGREG_BLOCK rows, which are
 *          added up in order: the result does not depend on the threads.  Against the optima of
 *          tests/golden/probe: see tests/unit/logreg.c.
 * Memory   logreg_open keeps two packed copies of the rows where they fit into `budget` bytes; otherwise each
 *          gradient asks for the rows again, a block at a time.
 * Errors   -1: memory, or what get says.  Not reaching tol is not an error (logreg_result).
 * Threads  Split over c->pool.
 */
#ifndef UNCLIP_LOGREG_H
#define UNCLIP_LOGREG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/compute.h"
#include "lib/base/err.h"

enum { LOGREG_BLOCK = 4096 };                 /* rows */
#define LOGREG_EXACT ((double)2e9)            /* multiplications and additions */

/* Where rows come from. */
struct logreg_rows {
    size_t n, d;
    /* Rows [from, from + n), contiguous: in room [n, d], or where they are.  NULL: unreadable. */
    const float *(*get)(void *ctx, size_t from, size_t n, float *room);
    void *ctx;
};

struct logreg_problem {
    struct logreg_rows x;
    const int32_t *y;         /* [n] */
    const float *weight;      /* [n] or NULL: all 1 */
    size_t classes;           /* >= 2 */
    int exact;                /* 1: products in f64, 0: in f32, -1: by the size of the problem */
    size_t budget;            /* bytes for packed rows */
    const struct compute *compute;
};

struct logreg_result {
    size_t iterations, calls;
    double objective;         /* J */
    double gradient;          /* max |gradient of J / (C S)| */
    bool converged;
};

struct logreg;

/* The rows of theta. */
size_t logreg_vectors(size_t classes);

/* What the fits of one problem share; everything is taken from *keep, and problem must stay. */
struct logreg *logreg_open(const struct logreg_problem *p, struct arena *keep, struct err *e);

/* Fit with that C, from theta, which may be zero or the optimum for another C.  go_on as in lbfgs.h. */
int logreg_fit(struct logreg *l, double c, double tol, size_t max_iter, bool (*go_on)(void *, size_t, double),
               void *ctx, double *theta, struct logreg_result *r, struct arena scratch, struct err *e);

/* Scores theta x of one row: [k], in f64. */
void logreg_scores(const double *theta, size_t k, size_t d, const float *x, double *scores);

/* Scores -> probabilities [classes]; in place where k = classes. */
void logreg_probabilities(const double *scores, size_t classes, double *prob);

/* Cross entropy of a row's scores for class y. */
double logreg_cross_entropy(const double *scores, size_t classes, size_t y);

/* The first largest score; with two classes 1 where the score is above 0. */
size_t logreg_predict(const double *scores, size_t classes);

#endif
