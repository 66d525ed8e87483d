/* f64.h - the sums over two vectors in f64 that solvers need
 *
 * Numbers  f64_dot adds in four parts, in an order that depends on n only.
 */
#ifndef UNCLIP_F64_H
#define UNCLIP_F64_H

#include <stddef.h>

static inline double f64_dot(size_t n, const double *a, const double *b) {
    double s[4] = {0};
    size_t i;

    for (i = 0; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            s[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        s[0] += a[i] * b[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* y += a x; x and y do not overlap. */
static inline void f64_axpy(size_t n, double a, const double *restrict x, double *restrict y) {
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

#endif
