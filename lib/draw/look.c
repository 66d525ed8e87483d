#include "lib/draw/look.h"

#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"

static size_t largest(const struct eye *eye, size_t eyes, size_t *embed) {
    size_t side = 0;

    *embed = 0;
    for (size_t i = 0; i < eyes; i++) {
        side = size_max(side, eye[i].prep->crop);
        *embed = size_max(*embed, eye[i].embed);
    }
    return side;
}

size_t look_view_bytes(const struct eye *eye, size_t eyes, size_t h, size_t w) {
    size_t embed, side = largest(eye, eyes, &embed);

    return (2 * 3 * side * side + 2 * embed + 3 * h * w) * sizeof(float);
}

int look_open(struct look *l, const struct compute *k, const struct eye *eye, size_t eyes, size_t h, size_t w, size_t views, size_t pass,
              enum loss_kind loss, struct arena *a, struct err *e) {
    size_t embed, side = largest(eye, eyes, &embed), threads = (size_t)pool_threads(k->pool);

    *l = (struct look){.k = k, .eye = eye, .eyes = eyes, .h = h, .w = w, .views = views, .pass = pass, .loss = loss};
    l->raw = arena_take(a, pass, 3 * side * side * sizeof *l->raw);
    l->planes = arena_take(a, pass, 3 * side * side * sizeof *l->planes);
    l->embed = arena_take(a, pass, embed * sizeof *l->embed);
    l->d_embed = arena_take(a, pass, embed * sizeof *l->d_embed);
    l->d_view = arena_take(a, pass, 3 * h * w * sizeof *l->d_view);
    l->scratch = arena_take(a, threads, sizeof *l->scratch);
    for (size_t i = 0; l->scratch && i < threads; i++)
        if (!(l->scratch[i] = arena_take(a, view_scratch(h, w, side), 1)))
            l->scratch = NULL;
    return l->raw && l->planes && l->embed && l->d_embed && l->d_view && l->scratch
               ? 0 : err_set(e, "no memory for %zu views of %zu x %zu pixels", pass, w, h);
}

static void see(void *ctx, size_t i, int thread) {
    struct look *l = ctx;
    size_t one = 3 * l->now->prep->crop * l->now->prep->crop;

    view_run(&l->view[i], l->picture, l->h, l->w, l->raw + i * one, l->scratch[thread]);
    view_planes(&l->view[i], l->now->prep, l->raw + i * one, l->planes + i * one);
}

static void unsee(void *ctx, size_t i, int thread) {
    struct look *l = ctx;
    size_t one = 3 * l->now->prep->crop * l->now->prep->crop, all = 3 * l->h * l->w;
    float *d = l->d_view + i * all;

    memset(d, 0, all * sizeof *d);
    view_planes_back(&l->view[i], l->now->prep, l->raw + i * one, l->planes + i * one);
    view_back(&l->view[i], l->picture, l->planes + i * one, d, l->h, l->w, l->scratch[thread]);
}

struct sum {
    float *d_picture;
    const float *d_view;
    size_t n, all;
};

enum { PART = 4096 };    /* pixels of one task */

static void add(void *ctx, size_t part, int thread) {
    const struct sum *s = ctx;

    (void)thread;
    for (size_t v = 0; v < s->n; v++)
        for (size_t i = part * PART; i < size_min((part + 1) * PART, s->all); i++)
            s->d_picture[i] += s->d_view[v * s->all + i];
}

/* Returns the loss of the first n views of l->view for the eye l->now.  Adds their gradient and cosines. */
static double look_pass(struct look *l, size_t n, double scale, float *d_picture, double *cos) {
    const struct eye *y = l->now;
    struct sum sum = {d_picture, l->d_view, n, 3 * l->h * l->w};
    double loss = 0, at;

    pool_run(l->k->pool, n, see, l);
    y->look(y->tower, n, l->planes, l->embed);
    for (size_t i = 0; i < n; i++) {
        loss += objective(l->loss, y->target, y->targets, y->embed, l->embed + i * y->embed, scale, l->d_embed + i * y->embed, &at);
        *cos += at;
    }
    if (!d_picture)
        return loss;
    y->back(y->tower, n, l->d_embed, l->planes);
    pool_run(l->k->pool, n, unsee, l);
    pool_run(l->k->pool, div_up(sum.all, PART), add, &sum);
    return loss;
}

double look_run(struct look *l, const float *picture, const struct view *view, size_t n, float *d_picture, double *cos) {
    double scale = 1 / (double)l->eyes / (l->loss == LOSS_SPHERICAL ? (double)n : 1), loss = 0, all = 0;

    l->picture = picture;
    if (d_picture)
        memset(d_picture, 0, 3 * l->h * l->w * sizeof *d_picture);
    for (size_t i = 0; i < l->eyes; i++)
        for (size_t from = 0; from < n; from += l->pass) {
            l->now = &l->eye[i];
            l->view = view + i * n + from;
            loss += look_pass(l, size_min(l->pass, n - from), scale, d_picture, &all);
        }
    if (cos)
        *cos = all / (double)(n * l->eyes);
    return loss;
}
