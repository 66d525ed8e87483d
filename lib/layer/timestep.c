#include "lib/layer/timestep.h"

#include <math.h>

void timestep_embedding(float t, size_t d, float *out) {
    static const float log_10000 = 9.21034037f;
    size_t half = d / 2;

    for (size_t i = 0; i < half; i++) {
        float f = expf(-log_10000 * (float)i / (float)half), x = t * f;
        out[i] = cosf(x);
        out[half + i] = sinf(x);
    }
}
