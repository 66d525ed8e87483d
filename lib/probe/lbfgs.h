/* lbfgs.h - minimise a smooth function of many variables
 *
 * What     Limited-memory BFGS with a line search that keeps the strong Wolfe conditions.  A preconditioner is
 *          optional.  It is a fixed positive definite approximation of the inverse Hessian.  The two-loop recursion
 *          starts from a multiple of it instead of a multiple of the identity.
 * Source   Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 (two loops), 3.5 and 3.6 (line
 *          search); Hager and Zhang 2005, doi:10.1137/030601880, for the "approximate Wolfe" test that ends a
 *          search where differences of the function drown in rounding.
 * Units    tol bounds max |gradient|, in the units of the function.
 * Errors   -1 when scratch is too small, or when the function is not finite at the start.  A run that ends before tol
 *          is reached is not an error, but `converged` is false then.
 * Numbers  All in f64.  The result depends on what f returns and on nothing else.
 * Threads  Those of f.
 */
#ifndef UNCLIP_LBFGS_H
#define UNCLIP_LBFGS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum { LBFGS_PAIRS = 10 };

struct lbfgs {
    size_t n;                                                       /* variables */
    double (*f)(void *ctx, const double *x, double *gradient);      /* the value; fills the gradient [n] */
    void (*precondition)(void *ctx, const double *g, double *out);  /* out = M^-1 g, or NULL */
    bool (*go_on)(void *ctx, size_t iteration, double gradient);    /* false ends the run; may be NULL */
    void *ctx;
    double tol;                 /* the run ends when max |g| is at most this */
    double noise;               /* relative error of f's values; smaller differences are ignored */
    size_t max_iter;
    /* results */
    size_t iterations, calls;   /* calls of f */
    double value, gradient;     /* at the final x; gradient: max |g| */
    bool converged;             /* is gradient <= tol? */
};

/* Minimise, starting from x [n], which becomes the minimum. */
int lbfgs_run(struct lbfgs *o, double *x, struct arena scratch, struct err *e);

#endif
