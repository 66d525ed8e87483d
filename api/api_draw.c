/* Drawing with the prior, the decoder and the upsampler.  The programs derive the noise of a sample from the id of its
 * record.  A call of the library has no such record, so it makes one (noise_record). */
#include <string.h>

#include "api/api_inside.h"
#include "lib/base/size.h"
#include "lib/image/prep.h"

enum { TOGETHER = 8 };    /* the largest number of pictures that the decoder draws at the same time */

/* Counts the sampling steps of a call that draws its samples in several parts, one after another. */
struct progress {
    struct unclip *u;
    size_t part, parts;
    bool stopped;
};

static bool step(void *ctx, size_t done, size_t steps, const float *x, const float *x0) {
    struct progress *p = ctx;

    (void)x, (void)x0;
    if (p->u->step && p->u->step(p->u->ctx, p->part * steps + done, p->parts * steps) != 0)
        p->stopped = true;
    return !p->stopped;
}

/* Returns -1.  Sets the error message if the function of unclip_watch stopped the drawing. */
static int ended(const struct progress *p) {
    return p->stopped ? err_set(&p->u->err, "stopped by unclip_watch") : -1;
}

/* Makes a record r whose id determines the noise, and its sample s.  The id is the option noise-id, or else the text, or
 * else the empty text. */
static int noise_record(struct unclip *u, const char *text, struct record *r, struct sample *s, struct arena *a) {
    struct span id = span_of(u->o.noise_id[0] ? u->o.noise_id : text ? text : "");
    bool bin;

    return record_id(id, &id, &bin, a, &u->err) < 0 || record_new(r, id, bin, a, &u->err) < 0 ? -1 : sample_of(s, r, a, &u->err);
}

/* Returns -1 with a message if the last of n samples would have a number that is too large. */
static int samples(struct unclip *u, size_t n) {
    return n <= SAMPLE_MAX - (size_t)u->o.sample ? 0
        : err_set(&u->err, "samples %d to %zu: the last is above %d", (int)u->o.sample, (size_t)u->o.sample + n - 1, SAMPLE_MAX - 1);
}

/* Computes the embedding and the token states of a text into *c, in memory from u->arena.  Sets *a to the memory that
 * remains free.  The text tower computes with the precision of the option "precision", as in clip-embed. */
static int condition(struct unclip *u, const char *text, struct condition *c, struct arena *a) {
    float *embed, *states;

    *c = (struct condition){.n = 0};
    if (api_text(u) < 0)
        return -1;
    *a = u->arena;    /* copied only now, because opening the tower took memory that must not be overwritten */
    if (encode_states(&u->clip, span_of(text), &embed, &states, &c->n, a, &u->err) < 0)
        return -1;
    c->embed = embed, c->states = states;
    c->d = u->clip.d, c->w = u->clip.model->config.text.width;
    return 0;
}

/* Computes u->none, unless it is known.  Only functions that api_part calls may call it, because the text tower that it
 * opens stays in memory. */
static int need_none(struct unclip *u) {
    const struct model_paths p = api_paths(u);

    if (!u->has_none && condition_empty(&u->none, NULL, &p, &u->draw, &u->arena, &u->err) < 0)
        return -1;
    u->has_none = true;
    return 0;
}

/* ---- prior ---- */

static int open_prior(struct unclip *u) {
    const struct model_paths p = api_paths(u);

    return unclip_open_prior(&u->prior, &p, &u->draw, &u->arena, &u->err);
}

int api_prior(struct unclip *u) {
    if (u->prior.file)
        return 0;
    if (api_start(u) < 0 || api_part(u, open_prior) < 0) {
        u->prior = (struct prior_model){.file = NULL};
        return -1;
    }
    u->drawer = (struct prior_draw){.m = &u->prior, .c = &u->draw, .temperature = 1, .quantile = 0.5, .group = API_BATCH};
    return 0;
}

static int open_empty(struct unclip *u) {
    return need_none(u) < 0 ? -1 : prior_draw_prefix(&u->drawer, &u->none, &u->drawer.empty, &u->arena, &u->err);
}

/* Opens the prior, and sets its number of steps and its guidance from the options.  If the guidance is above 1, also
 * computes the prefix of the empty text. */
static int prior_ready(struct unclip *u) {
    if (api_prior(u) < 0)
        return -1;
    u->drawer.steps = u->o.prior_steps > 0 ? (size_t)u->o.prior_steps : u->prior.steps;
    u->drawer.guidance = u->o.prior_guidance >= 0 ? u->o.prior_guidance : u->prior.ar ? 1 : 4;
    if (u->drawer.guidance > 1 && !u->has_empty) {
        if (api_part(u, open_empty) < 0)
            return -1;
        u->has_empty = true;
    }
    return 0;
}

int unclip_prior(struct unclip *u, const char *text, size_t n, float *embed) {
    struct prior_want want = {.n = n}, *wants = &want;
    struct progress watched = {.u = u, .parts = 1};
    const struct sampler_watch w = {step, &watched};
    struct condition c;
    struct record r;
    struct sample s;
    struct arena a;

    if (api_enter(u) < 0 || api_need(u, text, "text") < 0 || (n && api_need(u, embed, "embed") < 0) || samples(u, n) < 0)
        return -1;
    if (!n)
        return 0;
    if (prior_ready(u) < 0 || condition(u, text, &c, &a) < 0 || noise_record(u, text, &r, &s, &a) < 0 ||
        prior_draw_noise(&u->drawer, &r, &s, false, (uint64_t)u->o.seed, n, &want.noise, &u->err) < 0)
        return -1;
    want.noise.key.sample = (unsigned)u->o.sample;
    if (prior_draw_prefix(&u->drawer, &c, &want.prefix, &a, &u->err) < 0)
        return -1;
    return prior_draw_run(&u->drawer, 1, &wants, embed, &w, a, &u->err) < 0 ? ended(&watched) : 0;
}

/* ---- decoder ---- */

static int open_decoder(struct unclip *u) {
    const struct model_paths p = api_paths(u);
    struct decoder_model *m = &u->decoder;

    if (unclip_open_decoder(m, &p, false, &u->draw, &u->arena, &u->err) < 0)
        return -1;
    if (m->glide)
        return decode_text(&u->uncond, m->glide, m->unet, &u->draw, SPAN(""), NULL, &u->arena, &u->err);
    return need_none(u) < 0 ? -1 : decode_branch(&u->uncond, m, &u->draw, NULL, &u->none, &u->arena, &u->err);
}

int api_decoder(struct unclip *u) {
    if (u->decoder.file)
        return 0;
    if (api_start(u) == 0 && api_part(u, open_decoder) == 0)
        return 0;
    u->decoder = (struct decoder_model){.file = NULL};
    return -1;
}

/* The inputs of a call of unclip_decode. */
struct source {
    const char *text;
    const float *embed;    /* [n, E], or NULL */
    struct condition c;    /* only for an unCLIP decoder: of the text, or of the empty text if text is NULL */
};

/* Computes the conditional branches of the guidance for pictures first to first + n - 1 into b [n]. */
static int branches(struct unclip *u, const struct source *s, size_t first, size_t n, struct decode_branch *b, struct arena *a) {
    const struct decoder_model *m = &u->decoder;

    for (size_t i = 0; i < n; i++) {
        if (m->glide && i)
            b[i] = b[0];
        else if (m->glide && (!s->text || !*s->text))
            b[i] = u->uncond;
        else if (m->glide) {
            if (decode_text(&b[i], m->glide, m->unet, &u->draw, span_of(s->text), NULL, a, &u->err) < 0)
                return -1;
        } else if (decode_branch(&b[i], m, &u->draw, s->embed ? s->embed + (first + i) * m->proj.config.embed : NULL, &s->c, a, &u->err) < 0)
            return -1;
    }
    return 0;
}

/* Draws pictures first to first + n - 1 of a call into image [n, 3, S, S].  n is at most TOGETHER. */
static int draw_some(struct unclip *u, const struct source *s, size_t first, size_t n, float *image, struct progress *watched,
                     struct arena a) {
    const struct decoder_model *m = &u->decoder;
    const struct sampler_watch w = {step, watched};
    struct decode_branch b[TOGETHER];
    struct decoder_branch cond[TOGETHER];
    int *t = arena_take(&a, SCHED_STEPS_MAX, sizeof *t);
    struct decoder_job d = {.unet = m->unet, .sched = &m->sched, .side = m->side, .n = n, .timesteps = t, .cond = cond,
                            .ddim = u->o.decode_eta >= 0, .eta = u->o.decode_eta >= 0 ? u->o.decode_eta : 0,
                            .guidance = (float)(u->o.decode_guidance >= 0 ? u->o.decode_guidance : m->guidance),
                            .uncond = &u->uncond.b, .clip = true, .resample = 1};
    const size_t steps = u->o.decode_steps > 0 ? (size_t)u->o.decode_steps : m->steps;
    struct sample_noise z;
    struct record r;
    struct sample k;

    if (!t)
        return err_set(&u->err, "out of memory");
    if (decode_timesteps(&m->sched, NULL, steps, t, &d.steps, &u->err) < 0 || branches(u, s, first, n, b, &a) < 0 ||
        noise_record(u, s->text, &r, &k, &a) < 0 ||
        sample_noise_open(&z, &r, &k, false, (uint64_t)u->o.seed, NOISE_DECODER, n, decoder_draws(&d, NULL), 3 * m->side * m->side, &u->err) < 0)
        return -1;
    z.key.sample = (unsigned)((size_t)u->o.sample + first);
    d.noise = z.source;
    if (m->glide && (!s->text || !*s->text))
        d.guidance = 1;    /* guidance has no effect, because both branches have the empty text */
    for (size_t i = 0; i < n; i++)
        cond[i] = b[i].b;
    return sample_decoder(&d, &u->draw, image, &w, a, &u->err) < 0 ? ended(watched) : 0;
}

int unclip_decode(struct unclip *u, const char *text, size_t n, const float *embed, float *image) {
    struct progress watched = {.u = u, .parts = div_up(n, TOGETHER)};
    struct source s = {.text = text, .embed = embed};
    struct arena a;

    if (api_enter(u) < 0 || (n && api_need(u, image, "image") < 0) || samples(u, n) < 0)
        return -1;
    if (!n)
        return 0;
    if (api_decoder(u) < 0)
        return -1;
    a = u->arena;
    if (!u->decoder.glide) {
        if (!text && !embed)
            return err_set(&u->err, "text and embed are NULL: the decoder needs one of the two");
        s.c = u->none;
        if ((embed && api_finite(u, embed, n * u->decoder.proj.config.embed, "embed") < 0) || (text && condition(u, text, &s.c, &a) < 0))
            return -1;
    }
    for (size_t at = 0, m; at < n; at += m, watched.part++) {
        m = size_min(n - at, TOGETHER);
        if (draw_some(u, &s, at, m, image + at * 3 * u->decoder.side * u->decoder.side, &watched, a) < 0)
            return -1;
    }
    return 0;
}

/* ---- upsampler ---- */

static int open_upsampler(struct unclip *u) {
    const struct model_paths p = api_paths(u);

    return unclip_open_upsampler(&u->upsampler, &p, &u->draw, &u->arena, &u->err);
}

int api_upsampler(struct unclip *u) {
    if (u->upsampler.file)
        return 0;
    if (api_start(u) == 0 && api_part(u, open_upsampler) == 0)
        return 0;
    u->upsampler = (struct upsampler_model){.file = NULL};
    return -1;
}

/* Enlarges picture i of a call: image [3, side, side] to large. */
static int enlarge(struct unclip *u, const char *text, size_t i, size_t side, const float *image, float *large, struct progress *watched) {
    const struct upsampler_model *m = &u->upsampler;
    const struct sampler_watch w = {step, watched};
    struct arena a = u->arena;
    int *t = arena_take(&a, SCHED_STEPS_MAX, sizeof *t);
    struct upsample_job j = {.first = m->first, .last = m->last, .sched = &m->sched, .n = 1, .in = side, .out = side * m->ratio,
                             .timesteps = t, .temperature = (float)m->temperature, .ddim = m->ddim,
                             .enlarge = m->glide ? ENLARGE_ROUNDED_BILINEAR : ENLARGE_CLAMPED_BICUBIC};
    const char *spacing = u->o.upsample_steps > 0 ? NULL : m->spacing;
    const size_t steps = u->o.upsample_steps > 0 ? (size_t)u->o.upsample_steps : m->steps;
    struct decode_branch b;
    struct sample_noise z;
    struct record r;
    struct sample k;

    if (!t)
        return err_set(&u->err, "out of memory");
    if (decode_timesteps(&m->sched, spacing, steps, t, &j.steps, &u->err) < 0 || noise_record(u, text, &r, &k, &a) < 0 ||
        sample_noise_open(&z, &r, &k, false, (uint64_t)u->o.seed, NOISE_UPSAMPLE, 1, upsampler_draws(&j), 3 * j.out * j.out, &u->err) < 0 ||
        (m->glide && decode_text(&b, m->glide, m->first, &u->draw, span_of(text ? text : ""), NULL, &a, &u->err) < 0))
        return -1;
    z.key.sample = (unsigned)((size_t)u->o.sample + i);
    j.noise = z.source;
    j.text = m->glide ? &b.b : NULL;
    return sample_upsampler(&j, &u->draw, image, large, &w, a, &u->err) < 0 ? ended(watched) : 0;
}

int unclip_upsample(struct unclip *u, const char *text, size_t n, size_t side, const float *image, float *large) {
    struct progress watched = {.u = u, .parts = n};
    const size_t one = 3 * side * side;

    if (api_enter(u) < 0 || (n && (api_need(u, image, "image") < 0 || api_need(u, large, "large") < 0)) || samples(u, n) < 0)
        return -1;
    if (!n)
        return 0;
    if (api_upsampler(u) < 0)
        return -1;
    if (!side || side > 4096 || side * u->upsampler.ratio % u->upsampler.unit)
        return err_set(&u->err, "pictures of %zu x %zu pixels; the side must be at most 4096, and %zu times as large a multiple of %zu",
                       side, side, u->upsampler.ratio, u->upsampler.unit);
    if (api_finite(u, image, n * one, "image") < 0)
        return -1;
    for (; watched.part < n; watched.part++) {
        const size_t i = watched.part;

        if (enlarge(u, text, i, side, image + i * one, large + i * one * u->upsampler.ratio * u->upsampler.ratio, &watched) < 0)
            return -1;
    }
    return 0;
}

void unclip_rgb(size_t height, size_t width, const float *image, unsigned char *rgb) {
    if (image && rgb)
        prep_quantize(image, height, width, rgb);
}
