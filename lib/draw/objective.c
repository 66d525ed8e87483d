#include "lib/draw/objective.h"

#include <math.h>

static double length(const float *v, size_t d) {
    double sum = 0;

    for (size_t i = 0; i < d; i++)
        sum += (double)v[i] * (double)v[i];
    return sqrt(sum);
}

int objective_unit(float *v, size_t d) {
    double n = length(v, d);

    if (!(n > 0 && isfinite(n)))
        return -1;
    for (size_t i = 0; i < d; i++)
        v[i] = (float)((double)v[i] / n);
    return 0;
}

/* Returns the loss of one target at u.  The gradient by u is *slope (u - t), or for the cosine *slope (-t). */
static double one(enum loss_kind kind, const struct target *t, size_t d, const float *e, double n, double *cos, double *slope) {
    double dot = 0, r2 = 0, r, a;

    for (size_t i = 0; i < d; i++) {
        double u = (double)e[i] / n, x = u - (double)t->unit[i];

        dot += u * (double)t->unit[i];
        r2 += x * x;
    }
    *cos = dot;
    if (kind == LOSS_COSINE) {
        *slope = t->weight;
        return -t->weight * dot;
    }
    r = fmin(sqrt(r2), 2);
    a = asin(r / 2);
    *slope = r > 0 ? t->weight * 2 * a / (r * sqrt(fmax(1 - r * r / 4, 1e-12))) : t->weight;
    return t->weight * 2 * a * a;
}

double objective(enum loss_kind kind, const struct target *target, size_t nt, size_t d, const float *e, double scale, float *d_e,
                 double *cos) {
    double n = length(e, d), loss = 0, along = 0, at, slope;

    for (size_t i = 0; d_e && i < d; i++)
        d_e[i] = 0;
    if (!(n > 0))
        n = 1, d_e = NULL;
    for (size_t k = 0; k < nt; k++) {
        loss += scale * one(kind, &target[k], d, e, n, &at, &slope);
        if (cos && k == 0)
            *cos = at;
        for (size_t i = 0; d_e && i < d; i++) {
            double t = (double)target[k].unit[i];

            d_e[i] += (float)(scale * slope * (kind == LOSS_COSINE ? -t : (double)e[i] / n - t));
        }
    }
    for (size_t i = 0; d_e && i < d; i++)
        along += (double)d_e[i] * (double)e[i] / n;
    for (size_t i = 0; d_e && i < d; i++)    /* without its part along e: the length of e has no effect */
        d_e[i] = (float)(((double)d_e[i] - along * (double)e[i] / n) / n);
    return loss;
}
