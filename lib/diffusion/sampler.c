#include "lib/diffusion/sampler.h"

#include <math.h>
#include <string.h>

enum { RGB = 3 };

static void start(const struct noise_source *s, const float *init, size_t n, size_t each, float *x) {
    if (init)
        memcpy(x, init, n * each * sizeof *x);
    else
        s->draw(s->ctx, 0, n, each, x);
}

static bool report(const struct sampler_watch *w, size_t done, size_t steps, const float *x, const float *x0) {
    return !w || !w->step || w->step(w->ctx, done, steps, x, x0);
}

static float *take(struct arena *a, size_t n) {
    return arena_take(a, n, sizeof(float));
}

/* Returns whether the step from timestep t needs noise. */
static bool draws_at(const struct sched *s, int t, bool ddim, double eta) {
    return s->c.guided || (t > 0 && (!ddim || eta > 0));
}

/* What is known of x0: the mask and the source for sched_step and sched_ddim. */
struct known_part {
    struct sched_known k;
    bool x0;           /* the scheduler replaces x0; otherwise inpaint_keep replaces the state after a step */
};

/* Fills *known for the inpainting p, which may be NULL.  The scheduler replaces x0 in DDIM, and for a network that sees the
 * known part. */
static int open_known(struct known_part *known, const struct inpaint *p, size_t pixels, bool sees, bool ddim, struct arena *a) {
    float *mask = p ? take(a, RGB * pixels) : NULL;

    known->x0 = p && (sees || ddim);
    if (!p)
        return 0;
    if (!mask)
        return -1;
    inpaint_known(p, pixels, mask, &known->k);
    return 0;
}

/* Returns the elements whose predicted x0 the scheduler replaces by known values, or NULL if it replaces no element. */
static const struct sched_known *replaces(const struct known_part *known) {
    return known->x0 ? &known->k : NULL;
}

/* ---- prior ---- */

/* Writes the prefix of each row into past: n conditional rows, then, if guided, n unconditional rows.  Returns the
 * length of the longest prefix. */
static size_t prefixes(const struct prior_job *j, bool guided, size_t n, const struct transformer_cache **past) {
    size_t longest = guided ? j->empty->room : 0, row = 0;

    for (size_t i = 0; i < j->ntexts; i++) {
        const struct prior_text *t = &j->text[i];
        longest = t->prefix->room > longest ? t->prefix->room : longest;
        for (size_t k = 0; k < t->n; k++)
            past[row++] = t->prefix;
    }
    for (size_t i = 0; guided && i < n; i++)
        past[row++] = j->empty;
    return longest;
}

/* Writes the noise of one step for all texts into x.  At step 0 this is the initial noise: a text's init, or drawn. */
static void draw(const struct prior_job *j, unsigned step, size_t embed, float *x) {
    for (size_t i = 0; i < j->ntexts; x += j->text[i++].n * embed) {
        const struct prior_text *t = &j->text[i];
        if (step)
            t->noise.draw(t->noise.ctx, step, t->n, embed, x);
        else
            start(&t->noise, t->init, t->n, embed, x);
    }
}

int sample_prior(const struct prior_job *j, const struct compute *c, size_t embed, float *out,
                 const struct sampler_watch *w, struct arena a, struct err *e) {
    bool guided = j->guidance > 1;
    size_t n = 0, rows, size;
    float *x, *model, *noise;
    const struct transformer_cache **past;
    int *t = arena_take(&a, j->steps, sizeof *t);
    void *scratch;

    for (size_t i = 0; i < j->ntexts; i++)
        n += j->text[i].n;
    rows = guided ? 2 * n : n, size = n * embed;
    x = take(&a, rows * embed), model = take(&a, rows * embed), noise = take(&a, size);
    past = arena_take(&a, rows, sizeof *past);
    if (!x || !model || !noise || !past || !t)
        return err_set(e, "out of memory");
    scratch = arena_take(&a, prior_scratch(j->prior, prefixes(j, guided, n, past), rows), 1);
    if (!scratch)
        return err_set(e, "out of memory");
    sched_timesteps(j->sched, j->steps, t);
    draw(j, 0, embed, x);
    for (size_t k = 0; k < j->steps; k++) {
        int prev = k + 1 < j->steps ? t[k + 1] : -1;
        if (guided)
            memcpy(x + size, x, size * sizeof *x);
        prior_step(j->prior, c, rows, past, (float)t[k], x, model, scratch);
        if (guided)
            sched_guide(model, model + size, model, j->guidance, size);
        if (t[k] > 0)
            draw(j, (unsigned)k + 1, embed, noise);
        sched_step(j->sched, t[k], prev, x, model, NULL, noise, NULL, NULL, size);
        if (!report(w, k + 1, j->steps, x, NULL))
            return -1;
    }
    memcpy(out, x, size * sizeof *out);
    prior_denormalise(j->prior, n, out);
    return 0;
}

/* ---- decoder ---- */

struct decode {
    const struct decoder_job *j;
    const struct compute *c;
    bool guided;
    size_t rows, pixels;
    const struct unet_context **context;    /* [rows] */
    float *time;                            /* [rows, 4 C0] */
    float *in, *out;                        /* the network's input [rows, S, S, 3] and its output */
    float *model;                           /* the output after guidance, [n, out channels, S, S] */
    float *pull;                            /* j->guide's gradient, [n, 3, S, S] */
    struct known_part known;                /* the same for each sample */
    struct arena a;
};

/* Writes x [3, pixels] into the first three channels of in [pixels, channels]. */
static void put_picture(const float *x, size_t pixels, float *in, size_t channels) {
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < RGB; c++)
            in[i * channels + c] = x[c * pixels + i];
}

/* Takes the memory of a run and fills in the context and the time vector of each row: n conditional rows, then, if
 * guided, n unconditional rows. */
static int decode_open(struct decode *d, const struct decoder_job *j, const struct compute *c, bool guided,
                       struct arena a, struct err *e) {
    const struct unet_config *u = unet_config(j->unet);
    size_t wide = 4 * u->width[0];

    *d = (struct decode){.j = j, .c = c, .guided = guided, .rows = guided ? 2 * j->n : j->n,
                         .pixels = j->side * j->side};
    d->context = arena_take(&a, d->rows, sizeof *d->context);
    d->time = take(&a, d->rows * wide);
    d->in = take(&a, d->rows * d->pixels * u->in);
    d->out = take(&a, d->rows * d->pixels * u->out);
    d->model = take(&a, d->rows * d->pixels * u->out);
    d->pull = take(&a, j->guide ? j->n * d->pixels * RGB : 0);
    if (!d->context || !d->time || !d->in || !d->out || !d->model || !d->pull ||
        open_known(&d->known, j->inpaint, d->pixels, u->in > RGB, j->ddim, &a) < 0)
        return err_set(e, "out of memory");
    d->a = a;
    for (size_t i = 0; u->in > RGB && i < d->rows; i++)
        inpaint_channels(j->inpaint, d->pixels, d->in + i * d->pixels * u->in, u->in, RGB);
    for (size_t i = 0; i < d->rows; i++) {
        const struct decoder_branch *b = i < j->n ? &j->cond[i] : j->uncond;
        d->context[i] = b->context;
        memcpy(d->time + i * wide, b->time, wide * sizeof *d->time);
    }
    return 0;
}

/* Runs the network on x [n, 3, S, S] at timestep t and writes its output, after guidance, into
 * d->model [n, channels, S, S]. */
static int decode_model(struct decode *d, const float *x, int t, struct err *e) {
    const struct unet_config *u = unet_config(d->j->unet);
    size_t n = d->j->n, one = d->pixels * RGB, all = d->pixels * u->out;

    for (size_t i = 0; i < d->rows; i++)
        put_picture(x + i % n * one, d->pixels, d->in + i * d->pixels * u->in, u->in);
    if (unet_run(d->j->unet, d->c, d->rows, d->j->side, d->j->side, d->in, t, d->time, d->context, d->out, d->a, e) < 0)
        return -1;
    feature_map_channels_first(d->out, d->rows, u->out, d->pixels, d->model);
    for (size_t i = 0; d->guided && i < n; i++)    /* eps only: the variance stays the conditional branch's */
        sched_guide(d->model + i * all, d->model + (n + i) * all, d->model + i * all, d->j->guidance, one);
    return 0;
}

static int next_timestep(const struct decoder_job *j, size_t k) {
    return k + 1 < j->steps ? j->timesteps[k + 1] : -1;
}

/* Takes all samples x through step k.  In each sample of d->model the variance channels come after eps, if the network
 * has such channels. */
static void decode_step(struct decode *d, float *x, float *x0, const float *noise, size_t k) {
    size_t one = d->pixels * RGB, all = d->pixels * unet_config(d->j->unet)->out;
    const struct decoder_job *j = d->j;
    const struct sched_known *known = replaces(&d->known);
    int t = j->timesteps[k], prev = next_timestep(j, k);
    const struct sched_taken taken = {k ? j->timesteps[k - 1] : -1, t, prev, j->ddim, j->eta};

    for (size_t i = 0; i < j->n; i++) {
        const float *m = d->model + i * all, *z = noise + i * one;
        if (j->ddim)
            sched_ddim(j->sched, t, prev, x + i * one, m, j->eta, j->clip, z, known, x0 + i * one, one);
        else
            sched_step(j->sched, t, prev, x + i * one, m, m + one, z, known, x0 + i * one, one);
        if (j->guide)
            sched_pull(j->sched, &taken, x + i * one, m + one, d->pull + i * one, known, one);
        if (j->inpaint && !known)
            inpaint_keep(j->inpaint, j->sched, prev, z, d->pixels, x + i * one, x0 + i * one);
    }
}

static int check_decoder(const struct decoder_job *j, struct err *e) {
    const struct unet_config *u = unet_config(j->unet);
    size_t numbers;

    if ((u->in != RGB && u->in != RGB + INPAINT_CHANNELS) || (u->out != RGB && u->out != 2 * RGB))
        return err_set(e, "a decoder with %zu channels in and %zu out", u->in, u->out);
    if (!j->ddim && j->sched->c.variance == VARIANCE_LEARNED_RANGE && u->out != 2 * RGB)
        return err_set(e, "the scheduler wants a learned variance, the decoder has none");
    decoder_draws(j, &numbers);
    if (numbers > SAMPLER_DRAWS)
        return err_set(e, "%zu steps, done %zu times each: the draws of noise have no more than %d numbers", j->steps,
                       j->resample, SAMPLER_DRAWS);
    return 0;
}

static size_t repeats(const struct decoder_job *j, size_t k) {
    return k + 1 < j->steps && j->resample > 1 ? j->resample : 1;
}

size_t decoder_draws(const struct decoder_job *j, size_t *numbers) {
    size_t n = j->resample > 1 ? j->resample : 1, draws = !j->init;

    for (size_t k = 0; k < j->steps; k++)
        draws += repeats(j, k) * draws_at(j->sched, j->timesteps[k], j->ddim, j->eta) + repeats(j, k) - 1;
    if (numbers)
        *numbers = 1 + j->steps * n + j->steps * (n - 1);
    return draws;
}

/* Computes the guide's gradient d->pull at the states x of timestep t, after decode_model.  x0 is scratch memory. */
static int guide(struct decode *d, const float *x, float *x0, int t, struct err *e) {
    static const float LEAST = 0.2f;    /* a predicted x0 is used for guidance only at timesteps whose abar is larger */
    const struct decoder_job *j = d->j;
    const struct decoder_guide *g = j->guide;
    size_t one = d->pixels * RGB, all = d->pixels * unet_config(j->unet)->out;
    float data, noise;

    if (!g || !g->predicted)
        return g ? g->gradient(g->ctx, j->n, x, t, d->pull, d->a, e) : 0;
    sched_level(j->sched, t, &data, &noise);
    memset(d->pull, 0, j->n * one * sizeof *d->pull);
    if (data * data <= LEAST)
        return 0;
    for (size_t i = 0; i < j->n; i++)
        sched_predict(j->sched, t, x + i * one, d->model + i * all, replaces(&d->known), x0 + i * one, one);
    if (g->gradient(g->ctx, j->n, x0, t, d->pull, d->a, e) < 0)
        return -1;
    for (size_t i = 0; i < j->n * one; i++)
        d->pull[i] /= data;
    return 0;
}

/* Does step k and, if it is resampled, its repetitions. */
static int decode_timestep(struct decode *d, size_t k, float *x, float *x0, float *noise, struct err *e) {
    const struct decoder_job *j = d->j;
    size_t one = d->pixels * RGB, size = j->n * one, n = repeats(j, k), most = j->resample > 1 ? j->resample : 1;
    int t = j->timesteps[k];

    for (size_t u = 0; u < n; u++) {
        if (decode_model(d, x, t, e) < 0 || guide(d, x, x0, t, e) < 0)
            return -1;
        if (draws_at(j->sched, j->timesteps[k], j->ddim, j->eta))
            j->noise.draw(j->noise.ctx, (unsigned)(k * most + u + 1), j->n, one, noise);
        else
            memset(noise, 0, size * sizeof *noise);
        decode_step(d, x, x0, noise, k);
        if (u + 1 == n)
            return 0;
        j->noise.draw(j->noise.ctx, (unsigned)(j->steps * most + k * (most - 1) + u + 1), j->n, one, noise);
        sched_climb(j->sched, next_timestep(j, k), t, x, noise, size);
    }
    return 0;
}

int sample_decoder(const struct decoder_job *j, const struct compute *c, float *out, const struct sampler_watch *w,
                   struct arena a, struct err *e) {
    size_t one = j->side * j->side * RGB, size = j->n * one;
    float *noise = take(&a, size), *x0 = take(&a, size);
    struct decode d;

    if (!noise || !x0)
        return err_set(e, "out of memory");
    if (check_decoder(j, e) < 0 || decode_open(&d, j, c, j->guidance > 1, a, e) < 0)
        return -1;
    start(&j->noise, j->init, j->n, one, out);
    for (size_t k = 0; k < j->steps; k++) {
        if (decode_timestep(&d, k, out, x0, noise, e) < 0)
            return -1;
        if (!report(w, k + 1, j->steps, out, x0))
            return -1;
    }
    return 0;
}

int invert_decoder(const struct decoder_job *j, const struct compute *c, float *x, const struct sampler_watch *w,
                   struct arena a, struct err *e) {
    size_t one = j->side * j->side * RGB, all;
    struct decode d;

    if (check_decoder(j, e) < 0 || decode_open(&d, j, c, j->guidance > 1, a, e) < 0)
        return -1;
    all = d.pixels * unet_config(j->unet)->out;
    for (size_t k = j->steps; k-- > 1;) {
        if (decode_model(&d, x, j->timesteps[k], e) < 0)
            return -1;
        for (size_t i = 0; i < j->n; i++)
            sched_ddim(j->sched, j->timesteps[k], j->timesteps[k - 1], x + i * one, d.model + i * all, 0, false, NULL, NULL, NULL,
                       one);
        if (!report(w, j->steps - k, j->steps - 1, x, NULL))
            return -1;
    }
    return 0;
}

/* ---- upsampler ---- */

/* What a run of the upsampler needs for one sample at a time. */
struct enlarging {
    const struct upsample_job *j;
    const struct compute *c;
    size_t pixels;
    float *low;                /* [n, S, S, 3]: the enlarged small images */
    float *in, *out, *model;   /* the network's input and output, channels last, and its output with channels first */
    struct known_part known;
    struct arena a;
};

static int enlarge(const struct upsample_job *j, const float *small, float *low, struct arena a, struct err *e) {
    size_t one = j->in * j->in * RGB;
    float *last = take(&a, j->n * one);
    int r;

    if (!last)
        return err_set(e, "out of memory");
    feature_map_channels_last(small, j->n, RGB, j->in * j->in, last);
    if (j->enlarge == ENLARGE_ROUNDED_BILINEAR) {
        for (size_t i = 0; i < j->n * one; i++)
            last[i] = nearbyintf((last[i] + 1) * 127.5f) / 127.5f - 1;
        r = feature_map_bilinear(last, j->n, j->in, j->in, RGB, j->out, j->out, low, a);
    } else {
        for (size_t i = 0; i < j->n * one; i++)
            last[i] = last[i] < -1 ? -1 : last[i] > 1 ? 1 : last[i];
        r = feature_map_bicubic(last, j->n, j->in, j->in, RGB, j->out, j->out, low, a);
    }
    return r < 0 ? err_set(e, "out of memory") : 0;
}

static int check_upsampler(const struct upsample_job *j, struct err *e) {
    const struct unet_config *c = unet_config(j->first), *last = unet_config(j->last);
    bool learned = j->sched->c.variance == VARIANCE_LEARNED_RANGE;

    if ((c->in != 2 * RGB && c->in != 2 * RGB + INPAINT_CHANNELS) || (c->out != RGB && c->out != 2 * RGB))
        return err_set(e, "an upsampler with %zu channels in and %zu out", c->in, c->out);
    if (last->in != c->in || last->out != c->out)
        return err_set(e, "an upsampler with %zu channels in and %zu out, whose last step has %zu and %zu", c->in, c->out, last->in,
                       last->out);
    if (!j->ddim && learned && c->out != 2 * RGB)
        return err_set(e, "the scheduler wants a learned variance, the upsampler has none");
    return 0;
}

static int upsample_open(struct enlarging *g, const struct upsample_job *j, const struct compute *c, const float *small,
                         struct arena a, struct err *e) {
    size_t pixels = j->out * j->out, in = unet_config(j->first)->in, out = unet_config(j->first)->out;

    *g = (struct enlarging){.j = j, .c = c, .pixels = pixels, .low = take(&a, j->n * pixels * RGB),
                            .in = take(&a, pixels * in), .out = take(&a, pixels * out), .model = take(&a, pixels * out)};
    if (!g->low || !g->in || !g->out || !g->model ||
        open_known(&g->known, j->inpaint, pixels, in > 2 * RGB, j->ddim, &a) < 0)
        return err_set(e, "out of memory");
    if (in > 2 * RGB)
        inpaint_channels(j->inpaint, pixels, g->in, in, RGB);
    g->a = a;
    return enlarge(j, small, g->low, a, e);
}

/* Takes sample i, x [3, S, S], one step from t to prev. */
static int upsample_step(struct enlarging *g, const struct unet *u, size_t i, float *x, const float *noise, int t, int prev,
                         struct err *e) {
    const struct upsample_job *j = g->j;
    const struct sched_known *known = replaces(&g->known);
    size_t in = unet_config(u)->in, one = g->pixels * RGB;
    const float *low = g->low + i * one;

    put_picture(x, g->pixels, g->in, in);
    for (size_t k = 0; k < g->pixels; k++)
        memcpy(g->in + k * in + in - RGB, low + k * RGB, RGB * sizeof *low);
    if (unet_run(u, g->c, 1, j->out, j->out, g->in, t, j->text ? j->text->time : NULL, j->text ? &j->text->context : NULL,
                 g->out, g->a, e) < 0)
        return -1;
    feature_map_channels_first(g->out, 1, unet_config(u)->out, g->pixels, g->model);
    if (j->ddim)
        sched_ddim(j->sched, t, prev, x, g->model, j->eta, true, noise, known, NULL, one);
    else
        sched_step(j->sched, t, prev, x, g->model, g->model + one, noise, known, NULL, one);
    if (j->inpaint && !known)
        inpaint_keep(j->inpaint, j->sched, prev, noise, g->pixels, x, NULL);
    return 0;
}

size_t upsampler_draws(const struct upsample_job *j) {
    size_t draws = !j->init;

    for (size_t k = 0; k < j->steps; k++)
        draws += draws_at(j->sched, j->timesteps[k], j->ddim, j->eta);
    return draws;
}

/* Calls the network for one sample at a time, because one sample of full size needs several hundred MiB. */
int sample_upsampler(const struct upsample_job *j, const struct compute *c, const float *small, float *big,
                     const struct sampler_watch *w, struct arena a, struct err *e) {
    size_t one = j->out * j->out * RGB;
    float *noise = take(&a, j->n * one);
    struct enlarging g;

    if (!noise)
        return err_set(e, "out of memory");
    if (check_upsampler(j, e) < 0 || upsample_open(&g, j, c, small, a, e) < 0)
        return -1;
    start(&j->noise, j->init, j->n, one, big);
    for (size_t i = 0; !j->init && j->temperature != 1 && i < j->n * one; i++)
        big[i] *= j->temperature;
    for (size_t k = 0; k < j->steps; k++) {
        int t = j->timesteps[k], prev = k + 1 < j->steps ? j->timesteps[k + 1] : -1;

        if (draws_at(j->sched, j->timesteps[k], j->ddim, j->eta))
            j->noise.draw(j->noise.ctx, (unsigned)k + 1, j->n, one, noise);
        for (size_t i = 0; i < j->n; i++)
            if (upsample_step(&g, k + 1 < j->steps ? j->first : j->last, i, big + i * one, noise + i * one, t, prev, e) < 0)
                return -1;
        if (!report(w, k + 1, j->steps, big, NULL))
            return -1;
    }
    return 0;
}
