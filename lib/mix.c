#include "lib/mix.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static double dot(const float *a, const float *b, size_t d) {
    double s = 0;

    for (size_t i = 0; i < d; i++)
        s += (double)a[i] * (double)b[i];
    return s;
}

static int length(const float *a, size_t d, double *len, struct err *e) {
    *len = sqrt(dot(a, a, d));
    if (!isfinite(*len))
        return err_set(e, "a vector that is not finite");
    return *len > 0 ? 0 : err_set(e, "a vector of zeros has no direction");
}

void mix_lerp(const float *a, const float *b, double t, size_t d, float *out) {
    for (size_t i = 0; i < d; i++)
        out[i] = (float)((1 - t) * (double)a[i] + t * (double)b[i]);
}

int mix_slerp(const float *a, const float *b, double t, size_t d, float *out, struct err *e) {
    double la, lb, c, w, s, len, wa, wb;

    if (t == 0 || t == 1) {    /* the ends are exact */
        memmove(out, t == 0 ? a : b, d * sizeof *out);
        return 0;
    }
    if (length(a, d, &la, e) < 0 || length(b, d, &lb, e) < 0)
        return -1;
    c = dot(a, b, d) / (la * lb);
    w = acos(c < -1 ? -1 : c > 1 ? 1 : c);
    s = sin(w);
    if (s < 1e-6) {
        if (c < 0)
            return err_set(e, "two opposite vectors have no way between them");
        mix_lerp(a, b, t, d, out);
        return 0;
    }
    len = (1 - t) * la + t * lb;
    wa = sin((1 - t) * w) / s * len / la;
    wb = sin(t * w) / s * len / lb;
    for (size_t i = 0; i < d; i++)
        out[i] = (float)(wa * (double)a[i] + wb * (double)b[i]);
    return 0;
}

int mix_difference(const float *from, const float *to, const float *like, size_t d, float *out, struct err *e) {
    double len, sq = 0;

    if (length(like, d, &len, e) < 0)
        return -1;
    for (size_t i = 0; i < d; i++) {
        double v = (double)to[i] - (double)from[i];
        sq += v * v;
    }
    if (!(sq > 0) || !isfinite(sq))
        return err_set(e, "two equal texts have no difference");
    len /= sqrt(sq);
    for (size_t i = 0; i < d; i++)
        out[i] = (float)(((double)to[i] - (double)from[i]) * len);
    return 0;
}

/* ---- principal components ---- */

/* Eigenvectors of the symmetric matrix s [n, n], destroyed, as the columns of v, by cyclic Jacobi rotations:
 * slow, simple and exact to the last digits. */
static void jacobi(double *s, double *v, size_t n) {
    double off, all = 0;

    for (size_t i = 0; i < n * n; i++)
        v[i] = i % (n + 1) == 0, all += s[i] * s[i];
    for (int sweep = 0; sweep < 60; sweep++) {
        off = 0;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                off += s[p * n + q] * s[p * n + q];
        if (off <= 1e-30 * all)
            return;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                double spq = s[p * n + q], th, t, c, z;
                if (spq == 0)
                    continue;
                th = (s[q * n + q] - s[p * n + p]) / (2 * spq);
                t = (th >= 0 ? 1 : -1) / (fabs(th) + sqrt(th * th + 1));
                c = 1 / sqrt(t * t + 1);
                z = t * c;
                for (size_t i = 0; i < n; i++) {
                    double a = s[i * n + p], b = s[i * n + q];
                    s[i * n + p] = c * a - z * b;
                    s[i * n + q] = z * a + c * b;
                }
                for (size_t i = 0; i < n; i++) {
                    double a = s[p * n + i], b = s[q * n + i], x = v[i * n + p], y = v[i * n + q];
                    s[p * n + i] = c * a - z * b;
                    s[q * n + i] = z * a + c * b;
                    v[i * n + p] = c * x - z * y;
                    v[i * n + q] = z * x + c * y;
                }
            }
    }
}

/* One component: the j-th eigenvector of the covariance itself, or, where there are fewer vectors than
 * dimensions, x^T times that of the Gram matrix; of length one, its largest value positive.  u [d]: scratch. */
static void component(const double *x, const double *v, size_t n, size_t d, bool gram, size_t j, size_t m, double *u,
                      float *out) {
    double sq = 0, top = 0;

    for (size_t i = 0; i < d; i++) {
        u[i] = gram ? 0 : v[i * m + j];
        for (size_t r = 0; gram && r < n; r++)
            u[i] += x[r * d + i] * v[r * m + j];
        sq += u[i] * u[i];
        if (fabs(u[i]) > fabs(top))
            top = u[i];
    }
    sq = (top < 0 ? -1 : 1) / sqrt(sq);
    for (size_t i = 0; i < d; i++)
        out[i] = (float)(u[i] * sq);
}

/* How many of the k largest variances are more than rounding: below that, directions are noise. */
static size_t rank_of(const double *s, const size_t *order, size_t m, size_t k) {
    size_t n = 0;

    while (n < k && s[order[n] * (m + 1)] > 1e-13 * s[order[0] * (m + 1)])
        n++;
    return n;
}

int pca_fit(struct pca *p, const float *x, size_t n, size_t d, size_t most, struct arena *keep, struct err *e) {
    bool gram = n < d;
    size_t m = gram ? n : d, k = n - 1 < d ? n - 1 : d;
    struct arena a;
    double *c, *s, *v, *u;
    size_t *order;

    if (n < 2)
        return err_set(e, "%zu vectors have no components: two or more are wanted", n);
    k = k < most ? k : most;
    *p = (struct pca){.d = d, .k = k, .mean = arena_take(keep, d, sizeof *p->mean),
                      .component = arena_take(keep, k * d, sizeof *p->component),
                      .variance = arena_take(keep, k, sizeof *p->variance)};
    a = *keep;
    c = arena_take(&a, n * d, sizeof *c), s = arena_zero(&a, m * m, sizeof *s), v = arena_take(&a, m * m, sizeof *v);
    order = arena_take(&a, m, sizeof *order), u = arena_take(&a, d, sizeof *u);
    if (!p->mean || !p->component || !p->variance || !c || !s || !v || !order || !u)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < d; i++) {
        double sum = 0;
        for (size_t r = 0; r < n; r++)
            sum += (double)x[r * d + i];
        p->mean[i] = (float)(sum / (double)n);
        for (size_t r = 0; r < n; r++)
            c[r * d + i] = (double)x[r * d + i] - sum / (double)n;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = i; j < m; j++) {
            double sum = 0;
            for (size_t r = 0; r < (gram ? d : n); r++)
                sum += gram ? c[i * d + r] * c[j * d + r] : c[r * d + i] * c[r * d + j];
            s[i * m + j] = s[j * m + i] = sum / (double)(n - 1);
        }
    jacobi(s, v, m);
    for (size_t i = 0; i < m; i++) {    /* by decreasing variance, ties as they come */
        size_t j = i;
        for (; j > 0 && s[order[j - 1] * (m + 1)] < s[i * (m + 1)]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    p->k = rank_of(s, order, m, k);
    for (size_t j = 0; j < p->k; j++) {
        p->variance[j] = (float)s[order[j] * (m + 1)];
        component(c, v, n, d, gram, order[j], m, u, p->component + j * d);
    }
    return p->k ? 0 : err_set(e, "equal vectors have no components");
}

void pca_project(const struct pca *p, const float *x, size_t k, float *c) {
    for (size_t j = 0; j < k; j++) {
        double s = 0;
        for (size_t i = 0; i < p->d; i++)
            s += ((double)x[i] - (double)p->mean[i]) * (double)p->component[j * p->d + i];
        c[j] = (float)s;
    }
}

void pca_reconstruct(const struct pca *p, const float *c, size_t k, float *x) {
    for (size_t i = 0; i < p->d; i++) {
        double s = (double)p->mean[i];
        for (size_t j = 0; j < k; j++)
            s += (double)c[j] * (double)p->component[j * p->d + i];
        x[i] = (float)s;
    }
}
