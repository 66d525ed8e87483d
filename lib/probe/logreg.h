/* logreg.h - logistic regression with a quadratic penalty, solved to its optimum
 *
 * What     Minimises scikit-learn's objective divided by C times the sum of the sample weights:
 *              J(W, b) / (C S) = 1/S sum_i s_i ce(W x_i + b, y_i) + |W|^2 / (2 C S),     S = sum_i s_i
 *          ce is the cross entropy of a softmax over K >= 3 classes.  With K = 2 there is one row of weights
 *          and ce = log(1 + exp(-t (w.x + b))), t = 1 for class 1 and -1 for class 0.  The intercept b is not
 *          penalised.  The minimum is unique up to a common shift of b, which stays at sum b = 0.
 * Source   scikit-learn 1.9, sklearn/linear_model/_logistic.py, solver "lbfgs"; Radford et al. 2021,
 *          arXiv:2103.00020, appendix A.3 (linear probes).  Preconditioner: as Boehning 1992,
 *          doi:10.1007/BF00048682, who bounds the Hessian by a multiple of (I - 11^T / K) (x) X^T X, with the
 *          curvature at the current weights, and with a term of rank one for each class (logreg.c).
 * Shapes   The rows x_i are [n, d] f32.  y [n] holds classes 0..K-1.  theta is [k, d + 1] f64; its row j holds the d
 *          weights of class j and then its bias.  k is 1 for two classes, else K.
 * Numbers  Sums of losses, gradients and theta are in f64.  Small problems, with at most LOGREG_EXACT operations a
 *          gradient, multiply in f64 too.  Larger problems multiply in f32.  Blocks of LOGREG_BLOCK rows are added up
 *          in order, so the result does not depend on the threads.  tests/unit/logreg.c compares the results with the
 *          optima of tests/golden/probe.
 * Memory   logreg_open keeps the rows and copies of them if they fit into `budget` bytes.  Otherwise each gradient
 *          reads the rows again, one block at a time.
 * Errors   The functions return NULL or -1, with a message in e, if memory is exhausted, `get` fails, or rows are
 *          not finite.  A fit that does not reach tol is not an error (logreg_result.converged).
 * Threads  Work is split over compute->pool.
 */
#ifndef UNCLIP_LOGREG_H
#define UNCLIP_LOGREG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/compute.h"
#include "lib/base/err.h"

enum { LOGREG_BLOCK = 4096 };                 /* rows of a block */
#define LOGREG_EXACT ((double)2e9)            /* number of multiplications and additions of one gradient */
#define LOGREG_TOL 1e-7
#define LOGREG_TOL_EXACT 1e-5
#define LOGREG_TOL_LEAST 1e-12

/* Where rows come from. */
struct logreg_rows {
    size_t n, d;
    /* Returns the rows [from, from + n), contiguous, either in room [n, d] or where they are stored.  Returns NULL if
     * the rows cannot be read. */
    const float *(*get)(void *ctx, size_t from, size_t n, float *room);
    void *ctx;
};

struct logreg_problem {
    struct logreg_rows x;
    const int32_t *y;         /* [n] */
    const float *weight;      /* [n], the sample weights s_i; NULL: all are 1 */
    size_t classes;           /* >= 2 */
    int exact;                /* 1: products in f64, 0: in f32, -1: by the size of the problem */
    size_t budget;            /* bytes for the rows and their copies */
    const struct compute *compute;
};

struct logreg_result {
    size_t iterations, calls; /* calls: gradients that were computed */
    double objective;         /* J, not divided by C S */
    double gradient;          /* max |gradient of J / (C S)| */
    bool converged;
};

struct logreg;

/* Returns the number k of rows of theta. */
size_t logreg_vectors(size_t classes);

/* Prepare what all fits of one problem share.  Memory is taken from *keep, and *p must stay valid. */
struct logreg *logreg_open(const struct logreg_problem *p, struct arena *keep, struct err *e);

/* Fit with penalty C = c, starting from theta, which may be zero or the optimum for another C.  tol bounds the largest
 * element of the gradient of J / (C S).  If tol is 0, the bound is LOGREG_TOL, and for products in f64 LOGREG_TOL_EXACT
 * divided by C S if this is less, at least LOGREG_TOL_LEAST: the larger C is, the flatter is the objective, and the
 * farther from the optimum are weights with a small gradient.  go_on is called as in lbfgs.h. */
int logreg_fit(struct logreg *l, double c, double tol, size_t max_iter, bool (*go_on)(void *, size_t, double),
               void *ctx, double *theta, struct logreg_result *r, struct arena scratch, struct err *e);

/* Computes the scores [k] of one row x [d]: the products of x with the weights, plus the biases. */
void logreg_scores(const double *theta, size_t k, size_t d, const float *x, double *scores);

/* Turn the scores [k] of a row into probabilities [classes].  prob may be scores if k = classes. */
void logreg_probabilities(const double *scores, size_t classes, double *prob);

/* Returns the cross entropy of a row's scores [k] for class y, in nats. */
double logreg_cross_entropy(const double *scores, size_t classes, size_t y);

/* Returns the class with the largest score, or the first of several such classes.  With two classes, returns 1 if the
 * score is above 0, else 0. */
size_t logreg_predict(const double *scores, size_t classes);

#endif
