/* Six iterations of CLIPDraw with a tiny Vision Transformer, against torch in f64 (tests/golden/clipdraw/run): pictures,
 * cosines, losses, gradients, and the strokes after each step of Adam. */
#include "formats/checkpoint/weights.h"
#include "lib/base/cpu.h"
#include "lib/draw/canvas.h"
#include "lib/kernel/kern.h"

#include "tests/golden_strokes.h"
#include "tests/golden_tower.h"

enum { SIDE = 32, N = 3 * SIDE * SIDE, VIEWS = 4, STEPS = 6 };

static const char *key(int step, const char *name) {
    static char buf[4][64];
    static int at;

    at = (at + 1) % 4;
    snprintf(buf[at], sizeof buf[at], "%d.%s", step, name);
    return buf[at];
}

static void load_views(const struct weights *z, int step, struct view *v, struct arena a) {
    const float *start = golden_floats(z, key(step, "start"), NULL, &a), *end = golden_floats(z, key(step, "end"), NULL, &a);
    const float *crop = golden_floats(z, key(step, "crop_ijhw"), NULL, &a);

    for (size_t k = 0; k < VIEWS; k++) {
        int from[4][2], to[4][2];

        for (size_t i = 0; i < 8; i++)
            from[i / 2][i % 2] = (int)start[8 * k + i], to[i / 2][i % 2] = (int)end[8 * k + i];
        v[k] = (struct view){.kind = VIEW_DRAW, .side = SIDE, .y = (size_t)crop[4 * k], .x = (size_t)crop[4 * k + 1],
                             .h = (size_t)crop[4 * k + 2], .w = (size_t)crop[4 * k + 3]};
        view_perspective(from, to, v[k].warp);
    }
}

static void run(const char *kernel, size_t pass, struct arena a) {
    const struct weights z = golden_open("tests/golden/clipdraw/run.safetensors", &a);
    const struct prep p = {.size = SIDE, .crop = SIDE, .normalize = true,
                           .mean = {0.48145466f, 0.4578275f, 0.40821073f}, .std = {0.26862954f, 0.26130258f, 0.27577711f}};
    struct err e = {0};
    const struct compute k = {kern_choose(kernel, PREC_F32, cpu_flags(), &e), NULL};
    struct strokes s = golden_strokes(&z, "0.", &a);
    size_t points = 2 * s.first[s.n], d;
    float *text = arena_take(&a, 64, sizeof *text), *negative = arena_take(&a, 64, sizeof *text);
    float *x = arena_take(&a, N, sizeof *x), *dx = arena_take(&a, N, sizeof *dx);
    struct target t[2] = {{text, 1}, {negative, -0.3}};
    struct golden_tower tower;
    struct view v[VIEWS];
    struct canvas c;
    struct look l;
    struct eye eye = {&p, 0, &tower, golden_tower_look, golden_tower_back, t, 2};

    if (!k.kern) {
        skip(e.msg);
        return;
    }
    golden_floats(&z, "text", &d, &a);
    memcpy(text, golden_floats(&z, "text", NULL, &a), d * sizeof *text);
    memcpy(negative, golden_floats(&z, "negative", NULL, &a), d * sizeof *text);
    objective_unit(text, d), objective_unit(negative, d);
    eye.embed = d;
    golden_tower_open(&tower, "tests/golden/clip/vit.safetensors", &k, pass, &a);
    if (canvas_open_strokes(&c, &s, SIDE, SIDE, &k, &a, &e) < 0 ||
        look_open(&l, &k, &eye, 1, SIDE, SIDE, VIEWS, pass, LOSS_COSINE, &a, &e) < 0) {
        ok(0, "%s", e.msg);
        return;
    }
    for (int i = 0; i < STEPS; i++) {
        double loss;
        float got;

        load_views(&z, i, v, a);
        canvas_draw(&c, x);
        loss = look_run(&l, x, v, VIEWS, dx, NULL);
        canvas_back(&c, x, dx);
        if (i == 0) {
            close_to(x, golden_floats(&z, "0.picture", NULL, &a), N, 1.2e-6, 0, "the first picture");
            close_to(dx, golden_floats(&z, "0.grad.picture", NULL, &a), N, 0, 1e-5, "the gradient by the picture");
            close_to(c.d_param, golden_floats(&z, "0.grad.points", NULL, &a), points, 0, 1e-5, "by the points");
            close_to(c.d_param + points, golden_floats(&z, "0.grad.radius", NULL, &a), s.n, 0, 1e-5, "by the radii");
            close_to(c.d_param + points + s.n, golden_floats(&z, "0.grad.rgba", NULL, &a), 4 * s.n, 0, 1e-5, "by the colours");
        }
        got = (float)loss;
        close_to(&got, golden_floats(&z, key(i, "loss"), NULL, &a), 1, 1e-6, 0, "the loss");
        canvas_step(&c, 1, i >= STEPS * 3 / 4 ? 0.1 : i >= STEPS / 2 ? 0.4 : 1);
        close_to(c.param, golden_floats(&z, key(i + 1, "points"), NULL, &a), points, 2.2e-4, 0, "points after the step");
        close_to(c.param + points, golden_floats(&z, key(i + 1, "radius"), NULL, &a), s.n, 1.9e-6, 0, "radii");
        close_to(c.param + points + s.n, golden_floats(&z, key(i + 1, "rgba"), NULL, &a), 4 * s.n, 1.9e-6, 0, "colours");
    }
    canvas_draw(&c, x);
    close_to(x, golden_floats(&z, "6.picture", NULL, &a), N, 2.2e-5, 0, "the last picture");
}

int main(void) {
    TAP_ARENA(a, 64);

    run("c", VIEWS, a);
    run(NULL, 3, a);
    return done();
}
