#include "lib/vector/mix.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "lib/vector/eigen.h"

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

    if (t == 0 || t == 1) {    /* at the ends out is a or b, bit for bit */
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

/* Writes the mean of the rows of x [n, d] into mean [d], and the rows minus this mean into c [n, d], in f64. */
static void centre(const float *x, size_t n, size_t d, float *mean, double *c) {
    for (size_t i = 0; i < d; i++) {
        double sum = 0;
        for (size_t r = 0; r < n; r++)
            sum += (double)x[r * d + i];
        mean[i] = (float)(sum / (double)n);
        for (size_t r = 0; r < n; r++)
            c[r * d + i] = (double)x[r * d + i] - sum / (double)n;
    }
}

/* Writes c^T c / (n - 1) or, if gram, c c^T / (n - 1) into s [m, m], which must be all zeros before the call.  The
 * upper half is computed first and then copied to the lower half. */
static void products(const double *c, size_t n, size_t d, bool gram, double *s) {
    size_t m = gram ? n : d;

    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < (gram ? r + 1 : d); i++) {
            const double *row = c + r * d, *other = c + i * d;
            if (gram)
                for (size_t k = 0; k < d; k++)
                    s[i * m + r] += row[k] * other[k];
            else
                for (size_t k = i; k < d; k++)
                    s[i * m + k] += row[i] * row[k];
        }
    for (size_t i = 0; i < m; i++)
        for (size_t j = i; j < m; j++)
            s[i * m + j] = s[j * m + i] = s[i * m + j] / (double)(n - 1);
}

/* Writes one component into out, with length one and with its value of largest magnitude positive.  The component is
 * v, an eigenvector of the covariance, or, if gram (fewer vectors than dimensions), c^T v with v an eigenvector of the
 * Gram matrix.  u [d] is scratch. */
static void component(const double *c, const double *v, size_t n, size_t d, bool gram, double *u, float *out) {
    double sq = 0, top = 0;

    for (size_t i = 0; i < d; i++)
        u[i] = gram ? 0 : v[i];
    for (size_t r = 0; gram && r < n; r++)
        for (size_t i = 0; i < d; i++)
            u[i] += c[r * d + i] * v[r];
    for (size_t i = 0; i < d; i++) {
        sq += u[i] * u[i];
        if (fabs(u[i]) > fabs(top))
            top = u[i];
    }
    sq = (top < 0 ? -1 : 1) / sqrt(sq);
    for (size_t i = 0; i < d; i++)
        out[i] = (float)(u[i] * sq);
}

/* Writes the indices of w [m] into order, by decreasing variance; equal variances keep their order.  Returns how many
 * of the first k variances are larger than rounding errors; the directions of the others are noise. */
static size_t rank_of(const double *w, size_t m, size_t k, size_t *order) {
    size_t n = 0;

    for (size_t i = 0; i < m; i++) {
        size_t j = i;
        for (; j > 0 && w[order[j - 1]] < w[i]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    while (n < k && w[order[n]] > 1e-13 * w[order[0]])
        n++;
    return n;
}

int pca_fit(struct pca *p, const float *x, size_t n, size_t d, size_t most, struct arena *keep, struct err *e) {
    bool gram = n < d;
    size_t m = gram ? n : d, k = n - 1 < d ? n - 1 : d;
    struct arena a;
    double *c, *s, *v, *w, *u;
    size_t *order;

    if (n < 2)
        return err_set(e, "%zu vectors have no components: two or more are wanted", n);
    k = k < most ? k : most;
    *p = (struct pca){.d = d, .k = k, .mean = arena_take(keep, d, sizeof *p->mean),
                      .component = arena_take(keep, k * d, sizeof *p->component),
                      .variance = arena_take(keep, k, sizeof *p->variance)};
    a = *keep;
    c = arena_take(&a, n * d, sizeof *c), s = arena_zero(&a, m * m, sizeof *s), v = arena_take(&a, m * m, sizeof *v);
    w = arena_take(&a, m, sizeof *w), order = arena_take(&a, m, sizeof *order), u = arena_take(&a, 2 * d, sizeof *u);
    if (!p->mean || !p->component || !p->variance || !c || !s || !v || !w || !order || !u)
        return err_set(e, "out of memory");
    centre(x, n, d, p->mean, c);
    products(c, n, d, gram, s);
    if (eigen_symmetric(m, s, w, v, u) < 0)
        return err_set(e, "no components were found");
    p->k = rank_of(w, m, k, order);
    for (size_t j = 0; j < p->k; j++) {
        p->variance[j] = (float)w[order[j]];
        component(c, v + order[j] * m, n, d, gram, u, p->component + j * d);
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
