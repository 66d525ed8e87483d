#include "lib/vector/eigen.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

enum { STEPS = 64 };    /* the most QR steps for one eigenvalue; two are usual */

static double dot(const double *a, const double *b, size_t n) {
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

/* y += f x */
static void add(double *y, double f, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        y[i] += f * x[i];
}

/* Replaces x [n] by the vector v of the reflection I - b v v^T that makes all of x zero except its first element, and
 * writes the new first element into *first.  Returns b, which is 0 if x has that form already. */
static double reflection(double *x, size_t n, double *first) {
    double rest = dot(x + 1, x + 1, n - 1), len, b;

    *first = x[0];
    if (rest == 0)
        return 0;
    len = sqrt(x[0] * x[0] + rest);
    *first = x[0] > 0 ? -len : len;    /* the sign is opposite to that of x[0], so the next line does not cancel */
    x[0] -= *first;
    b = 2 / (x[0] * x[0] + rest);
    return isfinite(b) ? b : 0;
}

/* Reduces s to the tridiagonal matrix d, e; e[i] is the element between d[i] and d[i + 1].  The vector of reflection k
 * stays in row k of s, right of the diagonal, and its factor in b[k].  p [n]: scratch. */
static void tridiagonal(size_t n, double *s, double *d, double *e, double *b, double *p) {
    for (size_t k = 0; k + 1 < n; k++) {
        size_t m = n - k - 1;
        double *x = s + k * n + k + 1, half;

        d[k] = s[k * n + k];
        b[k] = reflection(x, m, &e[k]);
        if (b[k] == 0)
            continue;
        for (size_t i = 0; i < m; i++)
            p[i] = b[k] * dot(s + (k + 1 + i) * n + k + 1, x, m);
        half = b[k] / 2 * dot(x, p, m);
        add(p, -half, x, m);
        for (size_t i = 0; i < m; i++) {
            double *row = s + (k + 1 + i) * n + k + 1;
            for (size_t j = 0; j < m; j++)
                row[j] -= x[i] * p[j] + p[i] * x[j];
        }
    }
    d[n - 1] = s[n * n - 1];
}

/* Writes the transposed product of the reflections, which tridiagonal has put into s and b, into v [n, n]. */
static void product(size_t n, const double *s, const double *b, double *v) {
    for (size_t i = 0; i < n * n; i++)
        v[i] = i % (n + 1) == 0;
    for (size_t k = n - 1; k-- > 0;)
        for (size_t i = k + 1; b[k] != 0 && i < n; i++) {
            double *row = v + i * n + k + 1;
            const double *x = s + k * n + k + 1;
            add(row, -b[k] * dot(row, x, n - k - 1), x, n - k - 1);
        }
}

/* Replaces the rows a and b by c a + s b and c b - s a. */
static void rotate(double *a, double *b, double c, double s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double x = a[i], y = b[i];
        a[i] = c * x + s * y;
        b[i] = c * y - s * x;
    }
}

/* Does one QR step on the block lo .. hi of d and e, in which every e is nonzero, and rotates the rows of v in the same
 * way. */
static void step(size_t n, double *d, double *e, double *v, size_t lo, size_t hi) {
    double t = (d[hi - 1] - d[hi]) / 2, last = e[hi - 1];
    double shift = d[hi] - last * last / (t + copysign(sqrt(t * t + last * last), t));
    double x = d[lo] - shift, z = e[lo];

    for (size_t k = lo; k < hi; k++) {
        double r = sqrt(x * x + z * z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0, h;
        if (k > lo)
            e[k - 1] = r;
        h = s * (d[k + 1] - d[k]) + 2 * c * e[k];
        d[k] += s * h;
        d[k + 1] -= s * h;
        e[k] = x = c * h - e[k];
        if (k + 1 < hi) {
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        rotate(v + k * n, v + (k + 1) * n, c, s, n);
    }
}

static bool negligible(const double *d, const double *e, size_t i, double norm) {
    return fabs(e[i]) <= DBL_EPSILON / 2 * (fabs(d[i]) + fabs(d[i + 1]) + 1e-8 * norm);
}

int eigen_symmetric(size_t n, double *s, double *w, double *v, double *work) {
    double *e = work, *b = work + n, norm = 0;
    size_t hi, lo;
    int steps = 0;

    if (n == 0)
        return 0;
    tridiagonal(n, s, w, e, b, v);
    product(n, s, b, v);
    for (size_t i = 0; i < n; i++) {
        norm = fmax(norm, fabs(w[i]) + (i + 1 < n ? fabs(e[i]) : 0));
        if (!isfinite(w[i]) || (i + 1 < n && !isfinite(e[i])))
            return -1;
    }
    for (hi = n - 1; hi > 0;) {
        for (lo = hi; lo > 0 && !negligible(w, e, lo - 1, norm);)
            lo--;
        if (lo == hi) {
            hi--;
            steps = 0;
        } else if (steps++ == STEPS) {
            return -1;
        } else {
            step(n, w, e, v, lo, hi);
        }
    }
    return 0;
}
