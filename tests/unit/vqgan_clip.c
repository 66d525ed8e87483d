/* threads */
/* VQGAN-CLIP's three steps of Adam with a small decoder and a tiny Vision Transformer, against torch in f64
 * (tests/golden/grad/vqclip): pictures, losses, gradients, and the latents after each step.  Then a canvas of latents: its
 * starts, its range, and an arena that is too small. */
#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/draw/optimise.h"
#include "lib/kernel/kern.h"

#include "tests/golden_tower.h"
#include "tests/small_vqgan.h"

enum { S = 16, EMBED = 16, SIDE = 4 * SMALL_GRID, N = 3 * SIDE * SIDE, CELLS = SMALL_GRID * SMALL_GRID,
      Z = CELLS * SMALL_WIDE, CUTS = 4 };

static const struct prep PREP = {.size = S, .crop = S, .normalize = true,
                                 .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                                 .std = {0.26862954f, 0.26130258f, 0.27577711f}};

static const char *key(int step, const char *name) {
    static char buf[4][64];
    static int at;

    at = (at + 1) % 4;
    snprintf(buf[at], sizeof buf[at], "run.%d.%s", step, name);
    return buf[at];
}

/* Latents of the small decoder, with `room` bytes for what latents_draw and latents_back need. */
static struct latents open_latents(const struct weights *z, const struct compute *k, size_t room, struct arena *a) {
    struct vq_decoder *v = small_need(arena_take(a, 1, sizeof *v), "room");
    struct latents l = {.k = k, .h = SMALL_GRID, .w = SMALL_GRID, .codes = 12, .ratio = 4};
    static struct arena_mem mem[16];
    static size_t at;
    struct err e = {0};

    small_vqgan(v, z, k, a);
    l.g = small_need(vq_grad_bind(v, k, a, &e), e.msg);
    if (arena_split(a, room, &mem[at++ % 16], &l.scratch) < 0 || latents_open(&l, KEEP_ALL, a, &e) < 0)
        small_need(NULL, "room");
    return l;
}

static void run(const char *kernel, struct arena a) {
    const struct weights z = golden_open("tests/golden/grad/vqclip.safetensors", &a);
    struct err e = {0};
    const struct compute k = {kern_choose(kernel, PREC_F32, cpu_flags(), &e), NULL};
    float *prompt = golden_room(&a, EMBED, sizeof *prompt);
    float *x = golden_room(&a, N, sizeof *x), *dx = golden_room(&a, N, sizeof *dx);
    const struct noise_key start = {.seed = 1};
    struct target t = {prompt, 1};
    struct golden_tower tower;
    struct eye eye = {&PREP, EMBED, &tower, golden_tower_look, golden_tower_back, &t, 1};
    struct latents latents = open_latents(&z, &k, (size_t)8 << 20, &a);
    struct view v[CUTS];
    struct canvas c;
    struct look l;

    memcpy(prompt, golden_floats(&z, "run.prompt", NULL, &a), EMBED * sizeof *prompt);
    objective_unit(prompt, EMBED);
    golden_tower_open(&tower, "tests/golden/clip/micro.safetensors", &k, CUTS, &a);
    if (canvas_open_latents(&c, &latents, NULL, &start, &a, &e) < 0 ||
        look_open(&l, &k, &eye, 1, SIDE, SIDE, CUTS, 3, LOSS_SPHERICAL, &a, &e) < 0)
        small_need(NULL, e.msg);
    ok(c.count == Z && c.h == SIDE && c.w == SIDE, "a canvas of %zu x %zu pixels, %zu numbers", c.w, c.h, c.count);
    memcpy(c.param, small_last(golden_floats(&z, "run.z0", NULL, &a), SMALL_WIDE, CELLS, &a), Z * sizeof *c.param);
    for (int i = 0; i < 3; i++) {
        const float *cut = golden_floats(&z, key(i, "cuts"), NULL, &a);
        float loss;

        for (size_t j = 0; j < CUTS; j++)
            v[j] = (struct view){.kind = VIEW_CUTOUT, .side = S, .y = (size_t)cut[3 * j], .x = (size_t)cut[3 * j + 1],
                                 .h = (size_t)cut[3 * j + 2], .w = (size_t)cut[3 * j + 2]};
        canvas_draw(&c, x);
        close_to(x, golden_floats(&z, key(i, "image"), NULL, &a), N, 3.6e-6, 0, "the picture");
        loss = (float)look_run(&l, x, v, CUTS, dx, NULL);
        close_to(&loss, golden_floats(&z, key(i, "loss"), NULL, &a), 1, 1.9e-6, 0, "the loss");
        close_to(dx, golden_floats(&z, key(i, "grad_image"), NULL, &a), N, 0, 1e-5, "the gradient by the picture");
        canvas_back(&c, x, dx);
        close_to(c.d_param, small_last(golden_floats(&z, key(i, "grad_zq"), NULL, &a), SMALL_WIDE, CELLS, &a), Z, 0, 1e-5,
                 "by the latents");
        canvas_step(&c, 0.1, 1);
        close_to(c.param, small_last(golden_floats(&z, key(i + 1, "z"), NULL, &a), SMALL_WIDE, CELLS, &a), Z,
                 i ? 2e-5 : 4.8e-7, 0, "the latents after the step");
    }
    ok(!canvas_failed(&c), "enough memory");
}

/* ---- the canvas ---- */

static void canvas(struct arena a) {
    const struct weights z = golden_open("tests/golden/grad/vqclip.safetensors", &a);
    struct err e = {0};
    const struct compute k = {&kern_c, NULL};
    const struct noise_key start = {.seed = 1}, other = {.seed = 2};
    struct latents l = open_latents(&z, &k, (size_t)8 << 20, &a), little;
    float *one = golden_room(&a, Z, sizeof *one), *x = golden_room(&a, N, sizeof *x);
    int tokens[CELLS], seen[12] = {0}, kinds = 0, same = 1;
    struct canvas c;

    latents_start(&l, NULL, &start, one);
    for (size_t i = 0; i < CELLS; i++)
        for (size_t j = 0; j < 12; j++)
            seen[j] += !memcmp(one + i * SMALL_WIDE, vq_grad_row(l.g, j), SMALL_WIDE * sizeof *one);
    for (size_t j = 0; j < 12; j++)
        kinds += seen[j] > 0, same += seen[j] - (int)(seen[j] > CELLS);
    ok(same == CELLS + 1 && kinds > 8, "a random start is made of rows, %d of 12 kinds", kinds);
    ok(canvas_open_latents(&c, &l, NULL, &other, &a, &e) == 0 && memcmp(c.param, one, Z * sizeof *one) != 0,
       "another seed, another start");
    for (size_t i = 0; i < CELLS; i++)
        tokens[i] = (int)(i % 12);
    ok(canvas_open_latents(&c, &l, tokens, &start, &a, &e) == 0 &&
           !memcmp(c.param + 13 * SMALL_WIDE, vq_grad_row(l.g, 1), SMALL_WIDE * sizeof *one),
       "a start of tokens");
    for (size_t i = 0; i < Z; i++)
        c.param[i] = i % 2 ? 100 : -100;
    latents_clamp(&l, c.param);
    for (size_t i = 0; i < Z; i++)
        same &= c.param[i] == (i % 2 ? vq_grad_most(l.g) : vq_grad_least(l.g))[i % SMALL_WIDE];
    ok(same, "latents stay in the codebook's range");
    little = open_latents(&z, &k, 4096, &a);
    little.scratch.end = little.scratch.at + 4096;
    canvas_open_latents(&c, &little, NULL, &start, &a, &e);
    canvas_draw(&c, x), canvas_back(&c, x, x);
    ok(canvas_failed(&c) && x[N - 1] == 0 && c.d_param[0] == 0, "a canvas that runs out of memory says so");
}

/* Thirty iterations lower the loss.  Threads change no byte. */
static void threads(struct arena a) {
    const struct weights z = golden_open("tests/golden/grad/vqclip.safetensors", &a);
    float *result[2], *prompt = golden_room(&a, EMBED, sizeof *prompt);
    double score[2];

    memcpy(prompt, golden_floats(&z, "run.prompt", NULL, &a), EMBED * sizeof *prompt);
    objective_unit(prompt, EMBED);
    for (int i = 0; i < 2; i++) {
        struct err e = {0};
        const struct compute k = {kern_choose(NULL, PREC_F32, cpu_flags(), &e), pool_start(&a, i ? 3 : 1, &e)};
        struct target t = {prompt, 1};
        struct golden_tower tower;
        struct eye eye = {&PREP, EMBED, &tower, golden_tower_look, golden_tower_back, &t, 1};
        struct latents latents = open_latents(&z, &k, (size_t)8 << 20, &a);
        const struct noise_key start = {.seed = 3};
        struct canvas c;
        struct look l;
        struct optimise o = {.canvas = &c, .look = &l, .kind = VIEW_CUTOUT, .key = start, .lr = 0.1};

        golden_tower_open(&tower, "tests/golden/clip/micro.safetensors", &k, CUTS, &a);
        if (canvas_open_latents(&c, &latents, NULL, &start, &a, &e) < 0 ||
            look_open(&l, &k, &eye, 1, SIDE, SIDE, CUTS, i ? 2 : 4, LOSS_SPHERICAL, &a, &e) < 0 ||
            optimise_open(&o, &a, &e) < 0)
            small_need(NULL, e.msg);
        optimise_run(&o);
        score[0] = optimise_score(&o);
        o.iterations = 30;
        ok(optimise_run(&o) == 30, "thirty iterations");
        score[1] = optimise_score(&o);
        ok(score[1] > score[0], "the score rises from %.4f to %.4f", score[0], score[1]);
        result[i] = o.picture;
        pool_stop(k.pool);
    }
    ok(!memcmp(result[0], result[1], N * sizeof(float)), "the same picture with three threads");
}

int main(void) {
    TAP_ARENA(a, 128);

    run("c", a);
    run(NULL, a);
    canvas(a);
    threads(a);
    return done();
}
