/* Arithmetic on embeddings: slerp, text differences and principal components, the latter against spectra that are
 * known in closed form. */
#include "lib/vector/mix.h"

#include <stdint.h>

#include "tests/tap.h"

static unsigned long long state = 1;

static float uniform(void) {    /* -1 .. 1 */
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)((double)(state >> 40) / (1 << 23) - 1);
}

static double dot(const float *a, const float *b, size_t d) {
    double s = 0;

    for (size_t i = 0; i < d; i++)
        s += (double)a[i] * (double)b[i];
    return s;
}

static double length(const float *a, size_t d) {
    return sqrt(dot(a, a, d));
}

static double angle(const float *a, const float *b, size_t d) {
    return acos(fmin(1, dot(a, b, d) / (length(a, d) * length(b, d))));
}

/* Check that r < 0 with this message, and empty e. */
static void refused(int r, struct err *e, const char *want) {
    ok(r < 0 && !strcmp(e->msg, want), "refused: %s", e->msg);
    e->msg[0] = 0;
}

/* ---- between two vectors ---- */

static void slerp(void) {
    enum { D = 768, STEPS = 16 };
    float a[D], b[D], v[D];
    double worst_len = 0, worst_angle = 0, whole;
    struct err e = {0};
    int bad = 0;

    for (int i = 0; i < D; i++)
        a[i] = uniform() * 3, b[i] = uniform();
    whole = angle(a, b, D);
    for (int i = 0; i <= STEPS; i++) {
        double t = (double)i / STEPS, len = (1 - t) * length(a, D) + t * length(b, D);
        bad += mix_slerp(a, b, t, D, v, &e) < 0;
        worst_len = fmax(worst_len, fabs(length(v, D) / len - 1));
        worst_angle = fmax(worst_angle, fabs(angle(a, v, D) - t * whole));
        worst_angle = fmax(worst_angle, fabs(angle(v, b, D) - (1 - t) * whole));
        if (i == 0 || i == STEPS)
            ok(!memcmp(v, i ? b : a, sizeof v), "t = %g is the end itself, bit for bit", t);
    }
    ok(!bad && worst_len < 4e-9, "lengths are linear in t (observed %.2g)", worst_len);
    ok(worst_angle < 6e-9, "and so are angles (observed %.2g)", worst_angle);
}

static void slerp_corners(void) {
    const float x[3] = {2, 0, 0}, y[3] = {0, 4, 0}, back[3] = {-5, 0, 0}, none[3] = {0}, odd[3] = {NAN, 1, 2};
    const float huge[3] = {INFINITY, 0, 0}, near[3] = {2, 1e-7f, 0};
    const float half[3] = {1.5f * 1.41421356f, 1.5f * 1.41421356f, 0}, two[3] = {7, 0, 0}, mid[3] = {4.5f, 0, 0};
    float v[3], all[3];
    struct err e = {0};

    ok(mix_slerp(x, y, 0.5, 3, v, &e) == 0, "two axes");
    close_to(v, half, 3, 2.4e-7, 0, "half way");    /* one unit in the last place */
    ok(mix_slerp(x, x, 0.3, 3, v, &e) == 0 && !memcmp(v, x, sizeof v), "two equal vectors");
    ok(mix_slerp(x, two, 0.5, 3, v, &e) == 0 && !memcmp(v, mid, sizeof v), "the same direction, other lengths: lerp");
    ok(mix_slerp(x, near, 0.5, 3, v, &e) == 0 && v[0] == 2 && v[1] > 4e-8f && v[1] < 6e-8f, "nearly equal: lerp");
    memcpy(all, x, sizeof all);
    ok(mix_slerp(all, y, 0.5, 3, all, &e) == 0 && !memcmp(all, (mix_slerp(x, y, 0.5, 3, v, &e), v), sizeof v),
       "out may be one of the two");
    refused(mix_slerp(x, back, 0.5, 3, v, &e), &e, "two opposite vectors have no way between them");
    refused(mix_slerp(x, none, 0.5, 3, v, &e), &e, "a vector of zeros has no direction");
    refused(mix_slerp(odd, x, 0.5, 3, v, &e), &e, "a vector that is not finite");
    refused(mix_slerp(x, huge, 0.5, 3, v, &e), &e, "a vector that is not finite");
    mix_lerp(x, y, 0.25, 3, v);
    ok(v[0] == 1.5f && v[1] == 1 && v[2] == 0, "lerp");
}

static void difference(void) {
    enum { D = 512 };
    float from[D], to[D], like[D], v[D], right[D], zero[D] = {0};
    double away;
    struct err e = {0};

    for (int i = 0; i < D; i++)
        from[i] = uniform(), to[i] = uniform(), like[i] = 5 * uniform(), right[i] = to[i] - from[i];
    ok(mix_difference(from, to, like, D, v, &e) == 0, "difference");
    ok(fabs(length(v, D) / length(like, D) - 1) < 1e-8, "as long as the image's vector (off by %.2g)",
       length(v, D) / length(like, D) - 1);
    away = 1 - dot(v, right, D) / (length(v, D) * length(right, D));
    ok(fabs(away) < 4e-14, "from the old text to the new (cosine off by %.2g)", away);
    refused(mix_difference(from, from, like, D, v, &e), &e, "two equal texts have no difference");
    refused(mix_difference(from, to, zero, D, v, &e), &e, "a vector of zeros has no direction");
}

/* ---- principal components ---- */

/* Row j > 0 of the orthonormal cosine basis of n: all but row 0 sum to zero. */
static double basis(size_t j, size_t i, size_t n) {
    return sqrt(2 / (double)n) * cos(acos(-1) * (double)j * ((double)i + 0.5) / (double)n);
}

/* n vectors of d numbers with a mean of 1, 2, 3 ..; component j is the basis row j + 1 with standard deviation
 * `dev`[j].  Vectors are `wide` numbers apart, with zeros after the d numbers. */
static void make(float *x, size_t n, size_t d, size_t wide, const double *dev, size_t k) {
    memset(x, 0, n * wide * sizeof *x);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < d; i++) {
            double v = (double)(i + 1);
            for (size_t j = 0; j < k; j++)
                v += dev[j] * sqrt((double)(n - 1)) * basis(j + 1, r, n) * basis(j + 1, i, d);
            x[r * wide + i] = (float)v;
        }
}

static double not_orthonormal(const struct pca *p) {
    double worst = 0;

    for (size_t i = 0; i < p->k; i++)
        for (size_t j = 0; j <= i; j++)
            worst = fmax(worst, fabs(dot(p->component + i * p->d, p->component + j * p->d, p->d) - (i == j)));
    return worst;
}

static double not_restored(const struct pca *p, const float *x, size_t n) {
    float c[64], back[64];
    double worst = 0;

    for (size_t r = 0; r < n; r++) {
        pca_project(p, x + r * p->d, p->k, c);
        pca_reconstruct(p, c, p->k, back);
        for (size_t i = 0; i < p->d; i++)
            worst = fmax(worst, fabs((double)back[i] - (double)x[r * p->d + i]));
    }
    return worst;
}

/* The components of vectors that were made of known ones, in both shapes. */
static void known_spectrum(size_t n, size_t d, const char *path, struct arena a) {
    static const double dev[] = {9, 5, 2.5, 1, 0.25};
    enum { K = 5 };
    float *x = arena_take(&a, n * d, sizeof *x);
    double variance = 0, direction = 0, mean = 0;
    struct pca p;
    struct err e = {0};

    make(x, n, d, d, dev, K);
    ok(pca_fit(&p, x, n, d, K, &a, &e) == 0 && p.k == K && p.d == d, "%s: %zu vectors of %zu %s", path, n, d, e.msg);
    for (size_t i = 0; i < d; i++)
        mean = fmax(mean, fabs((double)p.mean[i] - (double)(i + 1)));
    for (size_t j = 0; j < K; j++) {
        double s = 0;
        variance = fmax(variance, fabs((double)p.variance[j] / (dev[j] * dev[j]) - 1));
        for (size_t i = 0; i < d; i++)
            s += (double)p.component[j * d + i] * basis(j + 1, i, d);
        direction = fmax(direction, 1 - fabs(s));
    }
    ok(mean == 0, "%s: the mean (observed %.2g)", path, mean);
    ok(variance < 3e-6, "%s: variances (observed %.2g)", path, variance);
    ok(direction < 8e-8, "%s: directions (1 - cosine: observed %.2g)", path, direction);
    ok(not_orthonormal(&p) < 2e-7, "%s: orthonormal (observed %.2g)", path, not_orthonormal(&p));
    ok(not_restored(&p, x, n) < 7e-6, "%s: all components restore the vectors (observed %.2g)", path, not_restored(&p, x, n));
}

/* Any vectors: the coordinates are uncorrelated, their variances are the eigenvalues and these sum to the trace. */
static void any_vectors(size_t n, size_t d, struct arena a) {
    float *x = arena_take(&a, n * d, sizeof *x), *c;
    double trace = 0, sum = 0, off = 0, var = 0;
    struct pca p;
    struct err e = {0};
    int order = 0, sign = 0;

    for (size_t i = 0; i < n * d; i++)
        x[i] = uniform();
    ok(pca_fit(&p, x, n, d, SIZE_MAX, &a, &e) == 0 && p.k == (n - 1 < d ? n - 1 : d), "%zu of %zu: all components %s", n, d,
       e.msg);
    c = arena_take(&a, n * p.k, sizeof *c);
    for (size_t r = 0; r < n; r++) {
        pca_project(&p, x + r * d, p.k, c + r * p.k);
        for (size_t i = 0; i < d; i++)
            trace += pow((double)x[r * d + i] - (double)p.mean[i], 2) / (double)(n - 1);
    }
    for (size_t i = 0; i < p.k; i++) {
        sum += (double)p.variance[i];
        order += i > 0 && p.variance[i] > p.variance[i - 1];
        for (size_t j = 0; j <= i; j++) {
            double s = 0;
            for (size_t r = 0; r < n; r++)
                s += (double)c[r * p.k + i] * (double)c[r * p.k + j] / (double)(n - 1);
            if (i == j)
                var = fmax(var, fabs(s - (double)p.variance[i]));
            else
                off = fmax(off, fabs(s));
        }
    }
    for (size_t j = 0; j < p.k; j++) {
        float top = 0;
        for (size_t i = 0; i < d; i++)
            top = fabsf(p.component[j * d + i]) > fabsf(top) ? p.component[j * d + i] : top;
        sign += top < 0;
    }
    ok(!order && !sign, "variances decrease, the largest value of a component is positive");
    ok(var < 6e-7 && off < 1.7e-7, "they are the coordinates' own, which are uncorrelated (observed %.2g, %.2g)", var, off);
    ok(fabs(sum / trace - 1) < 1.8e-8, "and sum to the trace (observed %.2g)", sum / trace - 1);
    ok(not_orthonormal(&p) < 2e-7, "orthonormal (observed %.2g)", not_orthonormal(&p));
    ok(not_restored(&p, x, n) < 4.8e-7, "all components restore the vectors (observed %.2g)", not_restored(&p, x, n));
}

/* Vectors that are filled up with zeros take the other path and give the same components. */
static void both_paths(struct arena a) {
    enum { N = 12, D = 8, WIDE = 20, K = 5 };
    static const double dev[] = {9, 5, 2.5, 1, 0.25};
    float *x = arena_take(&a, N * D, sizeof *x), *y = arena_take(&a, N * WIDE, sizeof *y), *z = arena_take(&a, K * D, sizeof *z);
    float beyond = 0;
    struct pca p, q;
    struct err e = {0};

    make(x, N, D, D, dev, K);
    make(y, N, D, WIDE, dev, K);
    ok(pca_fit(&p, x, N, D, K, &a, &e) == 0 && pca_fit(&q, y, N, WIDE, K, &a, &e) == 0, "both paths %s", e.msg);
    for (int j = 0; j < K; j++)
        for (int i = 0; i < WIDE; i++)
            if (i < D)
                z[j * D + i] = q.component[j * WIDE + i];
            else
                beyond = fmaxf(beyond, fabsf(q.component[j * WIDE + i]));
    close_to(z, p.component, K * D, 4e-7, 0, "covariance and Gram matrix: components");
    close_to(q.variance, p.variance, K, 0, 4e-7, "covariance and Gram matrix: variances");
    close_to(q.mean, p.mean, D, 0, 0, "covariance and Gram matrix: means");
    ok(beyond == 0, "nothing where all are zero");
}

static void corners(struct arena a) {
    enum { N = 6, D = 40 };
    static const double dev[] = {4, 3, 2, 1};
    float *x = arena_take(&a, N * D, sizeof *x);
    struct pca p, few;
    struct err e = {0};

    make(x, N, D, D, dev, 4);
    refused(pca_fit(&p, x, 1, D, 10, &a, &e), &e, "1 vectors have no components: two or more are wanted");
    refused(pca_fit(&p, x, 0, D, 10, &a, &e), &e, "0 vectors have no components: two or more are wanted");
    ok(pca_fit(&p, x, N, D, 4, &a, &e) == 0 && pca_fit(&few, x, N, D, 2, &a, &e) == 0 && few.k == 2 &&
       !memcmp(few.component, p.component, 2 * D * sizeof *x) && !memcmp(few.variance, p.variance, 2 * sizeof *x),
       "fewer components are the first of more");
    ok(pca_fit(&p, x, 2, D, 10, &a, &e) == 0 && p.k == 1, "two vectors have one component");
    ok(not_restored(&p, x, 2) < 8e-6, "which restores them (observed %.2g)", not_restored(&p, x, 2));
    /* all vectors twice, or one vector twice: fewer directions than vectors */
    memcpy(x + 3 * D, x, 3 * D * sizeof *x);
    p.k = 0;
    ok(pca_fit(&p, x, N, D, 10, &a, &e) == 0 && p.k == 2, "three vectors, each twice: two components %s", e.msg);
    ok(not_orthonormal(&p) < 2e-7, "orthonormal (observed %.2g)", not_orthonormal(&p));
    ok(not_restored(&p, x, N) < 3.8e-6, "they restore the vectors (observed %.2g)", not_restored(&p, x, N));
    for (int r = 1; r < N; r++)
        memcpy(x + r * D, x, D * sizeof *x);
    refused(pca_fit(&p, x, N, D, 10, &a, &e), &e, "equal vectors have no components");
    a.end = a.at + 1000;
    refused(pca_fit(&p, x, N, D, 10, &a, &e), &e, "out of memory");
}

int main(void) {
    TAP_ARENA(a, 16);

    slerp();
    slerp_corners();
    difference();
    known_spectrum(48, 12, "covariance", a);
    known_spectrum(10, 40, "Gram", a);
    any_vectors(40, 9, a);
    any_vectors(9, 40, a);
    any_vectors(16, 16, a);
    any_vectors(17, 16, a);
    both_paths(a);
    corners(a);
    free(a_mem.base);
    return done();
}
