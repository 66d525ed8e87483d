#include "lib/draw/canvas.h"

#include <math.h>
#include <string.h>

#include "lib/draw/adam.h"
#include "lib/draw/draws.h"
#include "lib/draw/view.h"

static const double REACH = 0.1;    /* a control point's range around the point before it, in parts of the side */
static const float RADIUS_LEAST = 1, RADIUS_MOST = 50;

/* Takes the optimiser's memory for c->count parameters, and memory for the parameters if c->param is NULL. */
static int take(struct canvas *c, struct arena *a, struct err *e) {
    if (!c->param)
        c->param = arena_take(a, c->count, sizeof *c->param);
    c->d_param = arena_take(a, c->count, sizeof *c->d_param);
    c->m = arena_zero(a, c->count, sizeof *c->m);
    c->v = arena_zero(a, c->count, sizeof *c->v);
    return c->param && c->d_param && c->m && c->v ? 0 : err_set(e, "no memory for a canvas of %zu x %zu pixels", c->w, c->h);
}

int canvas_open_strokes(struct canvas *c, const struct strokes *s, size_t h, size_t w, const struct compute *k, struct arena *a,
                        struct err *e) {
    *c = (struct canvas){.kind = CANVAS_STROKES, .h = h, .w = w, .count = strokes_count(s), .param = s->param, .strokes = *s};
    c->raster = raster_open(s, h, w, k->pool, a, e);
    return c->raster ? take(c, a, e) : -1;
}

int canvas_open_latents(struct canvas *c, struct latents *l, const int *tokens, const struct noise_key *key, struct arena *a, struct err *e) {
    *c = (struct canvas){.kind = CANVAS_VQGAN, .h = l->h * l->ratio, .w = l->w * l->ratio, .count = l->h * l->w * vq_grad_width(l->g),
                         .latents = l};
    if (take(c, a, e) < 0)
        return -1;
    latents_start(l, tokens, key, c->param);
    return 0;
}

bool canvas_failed(const struct canvas *c) {
    return c->kind == CANVAS_VQGAN && c->latents->full;
}

/* ---- starts ---- */

static int start_strokes(struct strokes *s, size_t n, size_t h, size_t w, const struct noise_key *key, struct arena *a, struct err *e) {
    size_t *first = arena_take(a, n + 1, sizeof *first);

    if (!first)
        return err_set(e, "no memory for %zu strokes", n);
    first[0] = 0;
    for (size_t k = 0; k < n; k++) {
        struct draws d = draws_open(key, (uint32_t)k);

        first[k + 1] = first[k] + 3 * (size_t)draws_int(&d, 1, 3) + 1;
    }
    *s = (struct strokes){n, first, NULL};
    s->param = arena_take(a, strokes_count(s), sizeof *s->param);
    if (!s->param)
        return err_set(e, "no memory for %zu strokes", n);
    for (size_t k = 0; k < n; k++) {
        struct draws d = draws_open(key, (uint32_t)k);
        double x, y;

        draws_unit(&d);    /* skips the number of segments, drawn above */
        x = draws_unit(&d), y = draws_unit(&d);
        for (size_t i = first[k]; i < first[k + 1]; i++) {
            s->param[2 * i] = (float)(x * (double)w), s->param[2 * i + 1] = (float)(y * (double)h);
            x += REACH * (draws_unit(&d) - 0.5), y += REACH * (draws_unit(&d) - 0.5);
        }
        strokes_radius(s, s->param)[k] = 1;
        for (size_t i = 0; i < 4; i++)
            strokes_rgba(s, s->param)[4 * k + i] = (float)draws_unit(&d);
    }
    return 0;
}

static void start_picture(struct canvas *c, const float *init, const struct noise_key *key) {
    if (init && c->kind == CANVAS_FOURIER) {
        fourier_of(&c->fourier, init, c->param);
    } else if (init) {
        memcpy(c->param, init, c->count * sizeof *init);
    } else {
        noise_fill(key, c->param, c->count);
        for (size_t i = 0; i < c->count; i++)
            c->param[i] = c->kind == CANVAS_PIXELS ? 0.5f + 0.1f * c->param[i] : 0.01f * c->param[i];
    }
}

int canvas_open(struct canvas *c, enum canvas_kind kind, size_t h, size_t w, size_t n, const float *init, const struct noise_key *key,
                const struct compute *k, struct arena *a, struct err *e) {
    struct strokes s;

    if (kind == CANVAS_STROKES)
        return start_strokes(&s, n, h, w, key, a, e) < 0 ? -1 : canvas_open_strokes(c, &s, h, w, k, a, e);
    *c = (struct canvas){.kind = kind, .h = h, .w = w, .count = 3 * h * w};
    if (take(c, a, e) < 0 || (kind == CANVAS_FOURIER && fourier_open(&c->fourier, h, w, k, a, e) < 0))
        return -1;
    start_picture(c, init, key);
    return 0;
}

/* ---- the picture and its gradient ---- */

void canvas_draw(struct canvas *c, float *picture) {
    if (c->kind == CANVAS_STROKES)
        raster_draw(c->raster, &c->strokes, picture);
    else if (c->kind == CANVAS_FOURIER)
        fourier_run(&c->fourier, c->param, picture);
    else if (c->kind == CANVAS_VQGAN)
        latents_draw(c->latents, c->param, picture);
    else
        for (size_t i = 0; i < c->count; i++)
            picture[i] = fminf(fmaxf(c->param[i], 0), 1);
}

void canvas_back(struct canvas *c, const float *picture, const float *d_picture) {
    if (c->kind == CANVAS_STROKES)
        raster_back(c->raster, &c->strokes, d_picture, c->d_param);
    else if (c->kind == CANVAS_FOURIER)
        fourier_back(&c->fourier, picture, d_picture, c->d_param);
    else if (c->kind == CANVAS_VQGAN)
        latents_back(c->latents, d_picture, c->d_param);
    else
        for (size_t i = 0; i < c->count; i++)
            c->d_param[i] = view_clamp_back(d_picture[i], c->param[i]);
}

static void clamp(float *x, size_t n, float lo, float hi) {
    for (size_t i = 0; i < n; i++)
        x[i] = fminf(fmaxf(x[i], lo), hi);
}

/* Takes one step of Adam with the parameters [from, to). */
static void step(struct canvas *c, size_t from, size_t to, double lr) {
    adam_step(to - from, c->param + from, c->d_param + from, c->m + from, c->v + from, c->t, lr);
}

void canvas_step(struct canvas *c, double lr, double fade) {
    const struct strokes *s = &c->strokes;

    c->t++;
    if (c->kind != CANVAS_STROKES) {
        step(c, 0, c->count, lr);
        if (c->kind == CANVAS_VQGAN)
            latents_clamp(c->latents, c->param);
        return;
    }
    step(c, 0, 2 * s->first[s->n], lr * fade);
    step(c, 2 * s->first[s->n], c->count - 4 * s->n, lr / 10);
    step(c, c->count - 4 * s->n, c->count, lr / 100);
    clamp(strokes_radius(s, s->param), s->n, RADIUS_LEAST, RADIUS_MOST);
    clamp(strokes_rgba(s, s->param), 4 * s->n, 0, 1);
}
