/* sweep.h - the search for C that the CLIP paper's linear probes use
 *
 * What     C_i = 10^(-6 + i/8) for i = 0..96.  Every sixteenth C is tried.  Then both neighbours of the best C so far
 *          are tried at a distance of 8, then of 4, 2 and 1.  This takes at most 15 fits.  The best C has the highest
 *          accuracy on the validation rows.  If several have this accuracy, the one with the lowest cross entropy is
 *          the best; if these are equal too, the smallest C.
 * Source   Radford et al. 2021, arXiv:2103.00020, appendix A.3: the grid and the halving.  The paper does not
 *          say how ties are broken.
 * Errors   sweep_run returns 0, or -1 if `try` returns -1.
 * Threads  No global state.
 */
#ifndef UNCLIP_SWEEP_H
#define UNCLIP_SWEEP_H

#include <stddef.h>

#include "lib/base/err.h"

enum { SWEEP_LAST = 96, SWEEP_FITS = 15 };

struct sweep_fit {
    int i;                                /* c is C_i */
    double c, accuracy, cross_entropy;    /* on the validation rows; cross_entropy is the mean over the rows */
};

struct sweep {
    struct sweep_fit fit[SWEEP_FITS];     /* in the order of the fits */
    size_t n, best;                       /* best: an index into fit */
};

/* Run the search.  `try` fits with f->c, and sets f->accuracy and f->cross_entropy. */
int sweep_run(struct sweep *s, int (*try)(void *ctx, struct sweep_fit *f, struct err *e), void *ctx, struct err *e);

#endif
