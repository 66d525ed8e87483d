#include "tools/stage/decode.h"

#include <stdio.h>
#include <string.h>

#include "formats/record/params.h"
#include "formats/record/stream.h"
#include "lib/diffusion/spacing.h"

int decode_branch(struct decode_branch *d, const struct decoder_model *m, const struct compute *k, const float *image,
                  const struct condition *text, struct arena *a, struct err *e) {
    const struct text_proj_config *c = &m->proj.config;
    size_t rows = c->extra + text->n;
    float *time, *context;
    struct arena s;
    void *scratch;

    if (condition_fits(text, c->embed, c->states, 4096, e) < 0)
        return -1;
    time = arena_take(a, c->time, sizeof *time);
    context = arena_take(a, rows * c->cross, sizeof *context);
    s = *a;
    scratch = arena_take(&s, text_proj_scratch(&m->proj, k, text->n), 1);
    if (!time || !context || !scratch)
        return err_set(e, "out of memory");
    text_proj_run(&m->proj, k, image, text->embed, text->n, text->states, time, context, scratch);
    d->b = (struct decoder_branch){time, &d->context};
    return unet_context(m->unet, k, context, rows, &d->context, a, e);
}

int decode_text(struct decode_branch *d, const struct glide_side *g, const struct unet *u, const struct compute *k,
                struct span text, bool *cut, struct arena *a, struct err *e) {
    const struct glide_text_config *c = &g->text.config;
    float *time = arena_take(a, c->time, sizeof *time), *context = arena_take(a, c->places * c->width, sizeof *context);
    int *ids;
    size_t n;

    if (!time || !context)
        return err_set(e, "out of memory");
    if (word_bpe_encode(&g->words, (const char *)text.p, text.n, &ids, &n, a, e) < 0 ||
        glide_text_run(&g->text, k, ids, n, context, time, *a, e) < 0)
        return -1;
    if (cut)
        *cut = n > c->places;
    d->b = (struct decoder_branch){time, &d->context};
    return unet_context(u, k, context, c->places, &d->context, a, e);
}

int decode_uncond_text(const char *file, struct span *text, struct arena *keep, struct err *e) {
    struct err inner = {0};
    struct record r;
    int got;

    *text = SPAN("");
    if (!file)
        return 0;
    if (stream_first(file, &r, keep, e) < 0)
        return -1;
    got = record_str(&r, "text", text, &inner);
    if (got == 0)
        err_set(&inner, "its first record has no text");
    return got > 0 ? 0 : err_at(e, file, &inner);
}

int decode_timesteps(const struct sched *s, const char *spacing, size_t steps, int *t, size_t *n, struct err *e) {
    char spec[24];

    if (!spacing && steps > s->c.train_steps)
        return err_set(e, "%zu steps, the schedule has %zu", steps, s->c.train_steps);
    if (!spacing && s->c.guided) {
        snprintf(spec, sizeof spec, "%zu", steps);
        spacing = spec;
    }
    if (spacing)
        return spacing_timesteps(spacing, s->c.train_steps, t, n, e);
    sched_timesteps(s, steps, t);
    *n = steps;
    return 0;
}

int decode_embed(const struct decoder_model *m, const struct record *r, const char *field, const float **v, struct arena *a,
                 struct err *e) {
    size_t n;
    int got = record_floats(r, field, v, &n, a, e);

    if (got > 0 && n != m->proj.config.embed)
        return err_set(e, "field %s has %zu numbers, the decoder takes %zu", field, n, m->proj.config.embed);
    return got;
}

int decode_recipe(struct decode_recipe *d, const struct record *r, size_t train_steps, struct err *e) {
    int64_t t[SCHED_STEPS_MAX], text = 0;
    size_t n = params_ints(r, "ddim-invert", "timesteps", t, SCHED_STEPS_MAX);

    d->known = record_has(r, "noise") && n > 0;
    d->steps = n;
    params_int(r, "ddim-invert", "text", &text);
    d->text = text != 0;
    d->file = SPAN(""), d->other = SPAN("");
    if (params_last_text(r, "ddim-invert", "uncond", &d->file) && !params_last_text(r, "ddim-invert", "uncond_text", &d->other))
        d->other = (struct span){NULL, 0};
    for (size_t i = 0; d->known && i < n; i++) {
        if (t[i] < 0 || t[i] >= (int64_t)train_steps || (i && t[i] >= t[i - 1]))
            return err_set(e, "params: the timesteps of the noise do not descend from %zu", train_steps - 1);
        d->timesteps[i] = (int)t[i];
    }
    return 0;
}

int decode_noise(const struct record *r, size_t side, const float **x, struct arena *a, struct err *e) {
    struct tensor t;
    int got = record_tensor(r, "noise", &t, e);
    size_t n;

    if (got <= 0)
        return got;
    if (t.nd != 3 || t.shape[0] != 3 || t.shape[1] != side || t.shape[2] != side)
        return err_set(e, "field noise is not [3, %zu, %zu]", side, side);
    return record_numbers(r, "noise", x, &n, a, e);
}
