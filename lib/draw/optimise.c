#include "lib/draw/optimise.h"

#include "lib/draw/pooled.h"

int optimise_open(struct optimise *o, struct arena *a, struct err *e) {
    size_t n = 3 * o->canvas->h * o->canvas->w;

    o->picture = arena_take(a, n, sizeof *o->picture);
    o->d_picture = arena_take(a, n, sizeof *o->d_picture);
    o->view = arena_take(a, o->look->eyes * o->look->views, sizeof *o->view);
    return o->picture && o->d_picture && o->view ? 0 : err_set(e, "no memory for a picture of %zu x %zu pixels", o->canvas->w, o->canvas->h);
}

static void views(struct optimise *o, size_t t) {
    size_t n = o->look->views;

    for (size_t i = 0; i < o->look->eyes * n; i++) {
        size_t number = t * o->look->eyes * n + i;
        struct draws d = draws_open(&o->key, (uint32_t)number), first = draws_open(&o->key, (uint32_t)(number - i % n));

        view_draw(&o->view[i], o->kind, o->canvas->h, o->canvas->w, o->look->eye[i / n].prep, &d);
        first.at = POOLED_BOX;
        if (o->kind == VIEW_POOLED)
            pooled_box(&o->view[i], &first);
    }
}

size_t optimise_run(struct optimise *o) {
    bool go = true;
    size_t t = 0;

    while (t < o->iterations && go) {
        double loss, fade = t >= o->iterations * 3 / 4 ? 0.1 : t >= o->iterations / 2 ? 0.4 : 1;

        canvas_draw(o->canvas, o->picture);
        views(o, t);
        loss = look_run(o->look, o->picture, o->view, o->look->views, o->d_picture, NULL);
        canvas_back(o->canvas, o->picture, o->d_picture);
        canvas_step(o->canvas, o->lr, fade);
        t++;
        go = !canvas_failed(o->canvas) && (!o->watch || o->watch(o->ctx, t, loss));
    }
    canvas_draw(o->canvas, o->picture);
    return t;
}

double optimise_score(struct optimise *o) {
    double cos;

    for (size_t i = 0; i < o->look->eyes; i++)
        view_draw(&o->view[i], VIEW_WHOLE, o->canvas->h, o->canvas->w, o->look->eye[i].prep, NULL);
    look_run(o->look, o->picture, o->view, 1, NULL, &cos);
    return cos;
}
