/* probe_fit.h - from labelled vectors to a classifier, and how good it is on vectors that it has not seen
 *
 * What     A row is held out by the hash of its id (XXH64), never by its place: row i is a validation row when
 *          hash mod 1000 < 1000 * validation, and belongs to fold hash mod K.  A sweep (sweep.h) fits on the
 *          others and scores on the validation rows; then the classifier is fitted on all rows with the best C.
 * Held out With folds, every row is predicted by a classifier that was fitted without its fold.  Without,
 *          validation rows are predicted by the one that was fitted without them.
 * Source   Radford et al. 2021, arXiv:2103.00020, appendix A.3; scikit-learn's class_weight="balanced".
 * Errors   Fewer than two classes; no row on one side of a split; memory.
 */
#ifndef UNCLIP_PROBE_FIT_H
#define UNCLIP_PROBE_FIT_H

#include "lib/probe/sweep.h"
#include "tools/stage/features.h"

struct probe_fit {
    /* what is asked for */
    const struct features *x;
    const struct compute *compute;
    double c, validation, tol;
    size_t max_iter, folds;      /* folds 0: a validation split */
    bool sweep, balanced, hold_out, calibrate;
    int exact;
    bool (*go_on)(void *ctx, size_t iteration, double gradient);
    void *ctx;
    /* what came out */
    double *theta;               /* [k, d + 1] */
    size_t k;
    struct logreg_result result;
    struct sweep swept;
    double temperature;
    size_t held;                 /* rows that were predicted without having been seen */
    const int32_t *truth;        /* [held] */
    const double *scores;        /* [held, k] */
    double accuracy, cross_entropy, error, error_after;    /* of them; error: calibration */
};

int probe_fit_run(struct probe_fit *p, struct arena *keep, struct err *e);

/* How often class i was taken for class j, [classes, classes]. */
size_t *probe_confusion(const struct probe_fit *p, struct arena *a);

#endif
