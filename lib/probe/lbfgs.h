/* lbfgs.h - minimise a smooth function of many variables
 *
 * What     Limited-memory BFGS with a line search that keeps the strong Wolfe conditions.  A preconditioner is
 *          optional.  It is a positive definite approximation of the inverse Hessian.  The two-loop recursion
 *          starts from a multiple of this approximation instead of a multiple of the identity.
 * Source   Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 (two loops), 3.5 and 3.6 (line
 *          search); Hager and Zhang 2005, doi:10.1137/030601880, for the "approximate Wolfe" test that ends a
 *          search if differences of the function drown in rounding.
 * Units    tol bounds max |gradient|, in the units of the function.
 * Errors   lbfgs_run returns -1 if scratch is too small, or if the function is not finite at the start.  A run that
 *          ends before tol is reached is not an error, but `converged` is false then.
 * Numbers  All in f64.  The result depends on what f returns and on nothing else.
 * Threads  Only those that f uses.
 */
#ifndef UNCLIP_LBFGS_H
#define UNCLIP_LBFGS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum { LBFGS_PAIRS = 10 };

struct lbfgs {
    size_t n;                                                       /* number of variables */
    double (*f)(void *ctx, const double *x, double *gradient);      /* returns the value; fills the gradient [n] */
    void (*precondition)(void *ctx, const double *g, double *out);  /* sets out = M^-1 g; may be NULL */
    bool (*go_on)(void *ctx, size_t iteration, double gradient);    /* false ends the run; may be NULL */
    void *ctx;
    double tol;                 /* the run ends when max |g| is at most this */
    double noise;               /* relative error of f's values; smaller differences are ignored */
    size_t max_iter;
    /* results */
    size_t iterations, calls;   /* calls of f */
    double value, gradient;     /* at the final x; gradient: max |g| */
    bool converged;             /* true if gradient <= tol */
};

/* Minimise, starting from x [n], which becomes the minimum. */
int lbfgs_run(struct lbfgs *o, double *x, struct arena scratch, struct err *e);

#endif
