/* calibrate.h - one temperature for a classifier's scores, and how far its confidence is from the truth
 *
 * What     The temperature T > 0 that minimises the mean cross entropy of scores / T, found through 1/T, in
 *          which it is convex; and the expected calibration error in 15 bins of equal width,
 *              ECE = sum over bins |accuracy - mean confidence| rows / n,   confidence in (i/15, (i+1)/15].
 * Source   Guo et al. 2017, arXiv:1706.04599, sections 2 and 4.2.
 * Shapes   scores [n, k] f64 as logreg_scores gives them: k = 1 for two classes; y [n].
 * Range    T in [1e-3, 1e3]: the end of the range where every row is told right (or wrong) with any T.
 * Numbers  tests/unit/probe.c: T within 1e-7 of scipy's.
 */
#ifndef UNCLIP_CALIBRATE_H
#define UNCLIP_CALIBRATE_H

#include <stddef.h>
#include <stdint.h>

enum { CALIBRATE_BINS = 15 };

double calibrate_temperature(const double *scores, size_t n, size_t k, const int32_t *y);

/* The mean cross entropy of scores / t. */
double calibrate_cross_entropy(const double *scores, size_t n, size_t k, const int32_t *y, double t);

double calibrate_error(const double *scores, size_t n, size_t k, const int32_t *y, double t);

#endif
