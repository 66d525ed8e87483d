/* calibrate.h - one temperature for a classifier's scores, and how far its confidence is from the truth
 *
 * What     calibrate_temperature finds the temperature T > 0 that minimises the mean cross entropy of scores / T.  It
 *          searches 1/T, in which the cross entropy is convex.  calibrate_error computes the expected calibration
 *          error in 15 bins of equal width,
 *              ECE = sum over bins |accuracy - mean confidence| rows / n,   confidence in (i/15, (i+1)/15].
 * Source   Guo et al. 2017, arXiv:1706.04599, sections 2 and 4.2.
 * Shapes   scores [n, k] f64 as logreg_scores gives them, with k = 1 for two classes; y [n], the classes.
 * Range    T in [1e-3, 1e3].  If the cross entropy has no minimum inside this range, T is an end of the range;
 *          for example 1e-3 if every row is classified correctly.
 * Units    Cross entropy in nats; the calibration error in [0, 1].
 * Numbers  f64.  T is within 1e-7 of scipy's (tests/unit/probe.c).
 * Errors   The functions cannot fail; n must be at least 1, and each y must be a class.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_CALIBRATE_H
#define UNCLIP_CALIBRATE_H

#include <stddef.h>
#include <stdint.h>

enum { CALIBRATE_BINS = 15 };

/* Returns the best temperature. */
double calibrate_temperature(const double *scores, size_t n, size_t k, const int32_t *y);

/* Returns the expected calibration error of the softmax of scores / t. */
double calibrate_error(const double *scores, size_t n, size_t k, const int32_t *y, double t);

#endif
