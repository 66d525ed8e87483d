#include "lib/draw/adam.h"

#include <math.h>

void adam_step(size_t n, float *x, const float *g, float *m, float *v, size_t t, double lr) {
    const double b1 = 0.9, b2 = 0.999, c1 = 1 - pow(b1, (double)t), c2 = 1 - pow(b2, (double)t);

    for (size_t i = 0; i < n; i++) {
        double d = (double)g[i], a = b1 * (double)m[i] + (1 - b1) * d, b = b2 * (double)v[i] + (1 - b2) * d * d;

        m[i] = (float)a, v[i] = (float)b;
        x[i] = (float)((double)x[i] - lr * (a / c1) / (sqrt(b / c2) + 1e-8));
    }
}
