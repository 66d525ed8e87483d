/* probe_fit.h - fits a classifier on labelled vectors and measures it on vectors that were held out
 *
 * What     The hash of a row's id (XXH64), not its place, decides whether the row is held out.  Row i is a validation
 *          row if hash mod 1000 < 1000 * validation, and belongs to fold hash mod K.  A sweep (sweep.h) fits on the
 *          other rows and scores on the validation rows; then the classifier is fitted on all rows with the best C.
 * Held out With folds, every row is predicted by a classifier that was fitted without the row's fold.  Without folds,
 *          the validation rows are predicted by a classifier that was fitted without them.
 * Source   Radford et al. 2021, arXiv:2103.00020, appendix A.3; scikit-learn's class_weight="balanced".
 * Errors   Fewer than two classes; no row on one side of a split; not enough memory.
 */
#ifndef UNCLIP_PROBE_FIT_H
#define UNCLIP_PROBE_FIT_H

#include "lib/probe/sweep.h"
#include "tools/stage/features.h"

struct probe_fit {
    /* what the caller asks for */
    const struct features *x;
    const struct compute *compute;
    double c, validation, tol;   /* tol: 0 for the default of logreg_fit */
    size_t max_iter, folds;      /* folds: the number K of folds, or 0 for a validation split */
    bool sweep, balanced, hold_out, calibrate;
    int exact;
    bool (*go_on)(void *ctx, size_t iteration, double gradient);
    void *ctx;
    /* the results */
    double *theta;               /* [k, d + 1] */
    size_t k;
    struct logreg_result result;
    struct sweep swept;
    double temperature;
    size_t held;                 /* number of rows that were held out and predicted */
    const int32_t *truth;        /* [held] their classes */
    const double *scores;        /* [held, k] their scores */
    /* measured on the rows that were held out; `error` is the calibration error at temperature 1, and `error_after` the
     * one at `temperature` */
    double accuracy, cross_entropy, error, error_after;
};

int probe_fit_run(struct probe_fit *p, struct arena *keep, struct err *e);

/* Writes the classifier that was fitted to a file (head_file.h). */
int probe_fit_write(const char *path, const struct probe_fit *p, struct arena scratch, struct err *e);

/* Returns the confusion matrix [classes, classes], in memory from the arena a.  Element (i, j) says how often a vector
 * of class i was classified as class j.  Returns NULL if memory runs out. */
size_t *probe_confusion(const struct probe_fit *p, struct arena *a);

#endif
