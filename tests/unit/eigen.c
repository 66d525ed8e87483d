/* Eigenvectors of symmetric matrices: compared with cyclic Jacobi rotations, which are slow but simple, and checked by
 * residual and orthogonality at the sizes of embeddings. */
#include "lib/vector/eigen.h"

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"

#include "tests/tap.h"

static unsigned long long state = 1;

static double uniform(void) {    /* -1 .. 1 */
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state >> 11) * 0x1p-52 - 1;
}

/* s becomes a matrix with its eigenvalues on the diagonal. */
static void jacobi(double *s, size_t n) {
    for (int sweep = 0; sweep < 12; sweep++)
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
                    double a = s[p * n + i], b = s[q * n + i];
                    s[p * n + i] = c * a - z * b;
                    s[q * n + i] = z * a + c * b;
                }
            }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double dot(const double *a, const double *b, size_t n) {
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

enum kind { ANY, COVARIANCE, LOW_RANK, GRADED, DIAGONAL, EQUAL, ZERO };
static const char *const kinds[] = {"any", "covariance", "of rank 3", "graded", "diagonal", "of ones", "zero"};

static void make(double *s, size_t n, enum kind kind, struct arena a) {
    size_t rows = kind == COVARIANCE ? n + 5 : 3;
    double *x = arena_take(&a, rows * n, sizeof *x);

    for (size_t i = 0; i < rows * n; i++)
        x[i] = uniform();
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++) {
            double v = uniform();
            if (kind == COVARIANCE || kind == LOW_RANK) {
                v = 0;
                for (size_t r = 0; r < rows; r++)
                    v += x[r * n + i] * x[r * n + j];
            } else if (kind == GRADED) {
                v *= pow(10, -(double)(i + j) * 12 / (double)n);
            } else if (kind != ANY) {
                v = kind == DIAGONAL ? (i == j) * v : kind == EQUAL;
            }
            s[i * n + j] = s[j * n + i] = v;
        }
}

/* Residual and orthogonality; at small sizes also the eigenvalues of jacobi. */
static void matrix(size_t n, enum kind kind, bool compare, struct arena a) {
    double *s = arena_take(&a, n * n, 8), *copy = arena_take(&a, n * n, 8), *v = arena_take(&a, n * n, 8);
    double *w = arena_take(&a, n, 8), *work = arena_take(&a, 2 * n, 8);
    double norm = 0, residual = 0, off = 0, value = 0, t;

    make(s, n, kind, a);
    memcpy(copy, s, n * n * sizeof *s);
    ok(eigen_symmetric(n, s, w, v, work) == 0, "%s, %zu", kinds[kind], n);
    for (size_t i = 0; i < n; i++)
        norm = fmax(norm, fabs(w[i]));
    for (size_t i = 0; i < n; i++) {
        double sq = 0;
        for (size_t j = 0; j < n; j++) {
            t = dot(copy + j * n, v + i * n, n) - w[i] * v[i * n + j];
            sq += t * t;
            if (j <= i)
                off = fmax(off, fabs(dot(v + i * n, v + j * n, n) - (i == j)));
        }
        residual = fmax(residual, sqrt(sq));
    }
    ok(residual <= 1.5e-14 * norm, "residual (observed %.2g of the largest value)", norm > 0 ? residual / norm : residual);
    ok(off < 4.8e-14, "orthonormal (observed %.2g)", off);
    if (!compare)
        return;
    jacobi(copy, n);
    for (size_t i = 0; i < n; i++)
        s[i] = copy[i * n + i];
    qsort(s, n, sizeof *s, by_value);
    qsort(w, n, sizeof *w, by_value);
    for (size_t i = 0; i < n; i++)
        value = fmax(value, fabs(s[i] - w[i]));
    ok(value <= 5.6e-14 * norm, "the values of Jacobi's method (observed %.2g)", norm > 0 ? value / norm : value);
}

int main(void) {
    static const size_t sizes[] = {1, 2, 3, 4, 7, 16, 33, 60};
    double bad[4] = {1, (double)NAN, (double)NAN, 1}, w[2], v[4], work[4];
    TAP_ARENA(a, 32);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int k = ANY; k <= ZERO; k++)
            matrix(sizes[i], (enum kind)k, true, a);
    matrix(200, GRADED, false, a);
    if (getenv("UNDER") && *getenv("UNDER")) {    /* two minutes of an emulator, for arithmetic that the sizes above have shown */
        skip("the sizes of embeddings: not under an emulator");
    } else {
        matrix(512, LOW_RANK, false, a);
        matrix(768, COVARIANCE, false, a);
    }
    ok(eigen_symmetric(2, bad, w, v, work) < 0, "numbers that are not finite are refused");
    ok(eigen_symmetric(0, bad, w, v, work) == 0, "nothing of nothing");
    free(a_mem.base);
    return done();
}
