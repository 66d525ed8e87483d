/* sweep.h - the search for C that the CLIP paper's linear probes use
 *
 * What     C_i = 10^(-6 + i/8) for i = 0..96.  Every sixteenth is tried, then both neighbours of the best one
 *          at steps of 8, 4, 2 and 1: at most 15 fits.  The best has the highest accuracy on the validation
 *          rows, then the lowest cross entropy, then the smallest C.
 * Source   Radford et al. 2021, arXiv:2103.00020, appendix A.3: the grid and the halving.  The paper does not
 *          say how ties are broken.
 * Errors   -1 when try does.
 */
#ifndef UNCLIP_SWEEP_H
#define UNCLIP_SWEEP_H

#include <stddef.h>

#include "lib/base/err.h"

enum { SWEEP_LAST = 96, SWEEP_FITS = 15 };

struct sweep_fit {
    int i;
    double c, accuracy, cross_entropy;    /* on the validation rows; cross entropy is the mean of a row */
};

struct sweep {
    struct sweep_fit fit[SWEEP_FITS];     /* in the order of the fits */
    size_t n, best;                       /* best: an index into fit */
};

int sweep_run(struct sweep *s, int (*try)(void *ctx, struct sweep_fit *f, struct err *e), void *ctx, struct err *e);

#endif
