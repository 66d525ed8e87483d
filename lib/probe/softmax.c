#include "lib/probe/softmax.h"

#include <math.h>

void softmax(const double *score, size_t n, double temperature, double *prob) {
    double top = score[0], sum = 0;

    for (size_t i = 1; i < n; i++)
        top = fmax(top, score[i]);
    for (size_t i = 0; i < n; i++)
        sum += prob[i] = exp((score[i] - top) / temperature);
    for (size_t i = 0; i < n; i++)
        prob[i] /= sum;
}
