#include "lib/draw/latents.h"

#include <math.h>
#include <string.h>

#include "lib/draw/draws.h"
#include "lib/draw/view.h"

static size_t pixels(const struct latents *l) {
    return 3 * l->h * l->w * l->ratio * l->ratio;
}

int latents_open(struct latents *l, enum keep_mode mode, struct arena *keep, struct err *e) {
    l->pass = vq_pass_open(l->g, l->h, l->w, mode, keep, e);
    l->raw = l->pass ? arena_take(keep, pixels(l), sizeof *l->raw) : NULL;
    l->full = false;
    return l->raw ? 0 : err_set(e, "no memory for a picture of %zu x %zu latents", l->w, l->h);
}

void latents_start(const struct latents *l, const int *tokens, const struct noise_key *key, float *z) {
    const size_t wide = vq_grad_width(l->g);

    for (size_t i = 0; i < l->h * l->w; i++) {
        struct draws d = draws_open(key, (uint32_t)i);
        size_t row = (size_t)(tokens ? tokens[i] : draws_int(&d, 0, (int)l->codes - 1));

        memcpy(z + i * wide, vq_grad_row(l->g, row), wide * sizeof *z);
    }
}

void latents_draw(struct latents *l, const float *z, float *picture) {
    struct err e = {0};

    l->full = l->full || vq_pass_run(l->pass, l->k, z, l->raw, l->scratch, &e) < 0;
    for (size_t i = 0; i < pixels(l); i++)
        picture[i] = l->full ? 0 : fminf(fmaxf(l->raw[i], 0), 1);
}

void latents_back(struct latents *l, const float *d_picture, float *d_z) {
    struct arena a = l->scratch;
    float *d = arena_take(&a, pixels(l), sizeof *d);
    struct err e = {0};

    for (size_t i = 0; d && i < pixels(l); i++)
        d[i] = view_clamp_back(d_picture[i], l->raw[i]);
    l->full = l->full || !d || vq_pass_back(l->pass, l->k, d, d_z, a, &e) < 0;
    if (l->full)
        memset(d_z, 0, l->h * l->w * vq_grad_width(l->g) * sizeof *d_z);
}

void latents_clamp(const struct latents *l, float *z) {
    const size_t wide = vq_grad_width(l->g);
    const float *least = vq_grad_least(l->g), *most = vq_grad_most(l->g);

    for (size_t i = 0; i < l->h * l->w * wide; i++)
        z[i] = fminf(fmaxf(z[i], least[i % wide]), most[i % wide]);
}
