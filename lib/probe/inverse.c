#include "lib/probe/inverse.h"

#include <math.h>
#include <string.h>

#include "lib/probe/f64.h"

int inverse_spd(size_t n, double *s, double *room) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double v = s[i * n + j] - f64_dot(j, s + i * n, s + j * n);

            if (i == j && !(v > 0))
                return -1;
            s[i * n + j] = i == j ? sqrt(v) : v / s[j * n + j];
        }
    /* row i of L^-1 is (e_i - sum over k < i of L[i, k] times row k of L^-1) / L[i, i] */
    for (size_t i = 0; i < n; i++) {
        double *row = s + i * n, scale = 1 / row[i];

        memcpy(room, row, i * sizeof *room);
        memset(row, 0, i * sizeof *row);
        for (size_t k = 0; k < i; k++)
            f64_axpy(k + 1, -scale * room[k], s + k * n, row);
        row[i] = scale;
    }
    /* the inverse is the sum, over the rows r of L^-1, of r^T r; the first k rows of the sum replace k rows of L^-1 */
    for (size_t k = 0; k < n; k++) {
        memcpy(room, s + k * n, (k + 1) * sizeof *room);
        memset(s + k * n, 0, (k + 1) * sizeof *s);
        for (size_t i = 0; i <= k; i++)
            f64_axpy(i + 1, room[i], room, s + i * n);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            s[j * n + i] = s[i * n + j];
    return 0;
}
