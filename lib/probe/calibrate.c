#include "lib/probe/calibrate.h"

#include <math.h>

/* Returns score j of a row.  With k = 1 the row stores the score of class 1 only, and the score of class 0 is 0. */
static double score(const double *s, size_t k, size_t j) {
    return k == 1 ? (j ? s[0] : 0) : s[j];
}

/* Computes the mean and the variance of a row's scores under the softmax of b * scores. */
static void moments(const double *s, size_t k, double b, double *mean, double *variance) {
    const size_t classes = k == 1 ? 2 : k;
    double top = score(s, k, 0), sum = 0, m = 0, v = 0;

    for (size_t j = 1; j < classes; j++)
        top = fmax(top, score(s, k, j));
    for (size_t j = 0; j < classes; j++) {
        double z = score(s, k, j), q = exp(b * (z - top));

        sum += q;
        m += q * z;
    }
    m /= sum;
    for (size_t j = 0; j < classes; j++) {
        double z = score(s, k, j);

        v += exp(b * (z - top)) * (z - m) * (z - m);
    }
    *mean = m;
    *variance = v / sum;
}

/* Returns the derivative of the mean cross entropy with respect to b, and writes the second derivative into *curve. */
static double slope(const double *scores, size_t n, size_t k, const int32_t *y, double b, double *curve) {
    double d = 0, c = 0;

    for (size_t i = 0; i < n; i++) {
        double m, v;

        moments(scores + i * k, k, b, &m, &v);
        d += m - score(scores + i * k, k, (size_t)y[i]);
        c += v;
    }
    *curve = c / (double)n;
    return d / (double)n;
}

double calibrate_temperature(const double *scores, size_t n, size_t k, const int32_t *y) {
    double lo = 1e-3, hi = 1e3, b = 1, curve;

    if (slope(scores, n, k, y, lo, &curve) >= 0)
        return 1 / lo;
    if (slope(scores, n, k, y, hi, &curve) <= 0)
        return 1 / hi;
    for (int i = 0; i < 200 && hi - lo > 1e-14 * hi; i++) {
        double d = slope(scores, n, k, y, b, &curve), next;

        if (d < 0)
            lo = b;
        else
            hi = b;
        next = b - d / curve;    /* Newton's step, or the geometric mean of lo and hi if the step leaves (lo, hi) */
        if (!(next > lo && next < hi))
            next = sqrt(lo * hi);
        if (fabs(next - b) <= 1e-15 * b)
            break;
        b = next;
    }
    return 1 / b;
}

double calibrate_error(const double *scores, size_t n, size_t k, const int32_t *y, double t) {
    const size_t classes = k == 1 ? 2 : k;
    double right[CALIBRATE_BINS] = {0}, sure[CALIBRATE_BINS] = {0}, error = 0;

    for (size_t i = 0; i < n; i++) {
        const double *s = scores + i * k;
        size_t best = 0;
        double sum = 0, confidence;
        int bin;

        for (size_t j = 1; j < classes; j++)
            if (score(s, k, j) > score(s, k, best))
                best = j;
        for (size_t j = 0; j < classes; j++)
            sum += exp((score(s, k, j) - score(s, k, best)) / t);
        confidence = 1 / sum;
        bin = (int)ceil(confidence * CALIBRATE_BINS) - 1;
        bin = bin < 0 ? 0 : bin >= CALIBRATE_BINS ? CALIBRATE_BINS - 1 : bin;
        right[bin] += best == (size_t)y[i];
        sure[bin] += confidence;
    }
    for (int i = 0; i < CALIBRATE_BINS; i++)
        error += fabs(right[i] - sure[i]);
    return error / (double)n;
}
