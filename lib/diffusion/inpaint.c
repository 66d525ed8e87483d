#include "lib/diffusion/inpaint.h"

#include <string.h>

enum { RGB = 3 };

void inpaint_keep(const struct inpaint *p, const struct sched *s, int t, const float *noise, size_t pixels, float *x,
                  float *x0) {
    float data, rest;

    sched_level(s, t, &data, &rest);
    for (size_t i = 0; i < RGB * pixels; i++) {
        if (p->mask[i % pixels] == 0)
            continue;
        x[i] = t < 0 ? p->source[i] : data * p->source[i] + rest * noise[i];
        if (x0)
            x0[i] = p->source[i];
    }
}

void inpaint_channels(const struct inpaint *p, size_t pixels, float *in, size_t channels, size_t at) {
    for (size_t i = 0; i < pixels; i++) {
        float known = p ? p->mask[i] : 0, *out = in + i * channels + at;

        for (size_t c = 0; c < RGB; c++)
            out[c] = known != 0 ? p->source[c * pixels + i] : 0;
        out[RGB] = known;
    }
}

void inpaint_known(const struct inpaint *p, size_t pixels, float *mask3, struct sched_known *k) {
    for (size_t c = 0; c < RGB; c++)
        memcpy(mask3 + c * pixels, p->mask, pixels * sizeof *mask3);
    *k = (struct sched_known){p->source, mask3};
}
