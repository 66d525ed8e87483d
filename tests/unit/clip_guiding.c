/* threads */
/* A decoder's guidance by a plain CLIP at the predicted pictures: the gradient against differences of the loss over the same
 * views, what its views depend on, and what a record must have. */
#include "tools/stage/clip_guiding.h"

#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/draw/pooled.h"
#include "lib/kernel/kern.h"

#include "tests/tap.h"

enum { SIDE = 24, N = 3 * SIDE * SIDE, D = 24, VIEWS = 3 };

static const char *const MODEL[] = {"tests/golden/clip/vit.safetensors"};

static void need(bool good, const char *what) {
    if (!good)
        printf("Bail out! %s\n", what), exit(1);
}

static void open_guiding(struct clip_guiding *g, const struct compute *k, double scale, struct arena *a) {
    static const struct model_paths p = {MODEL, 1, ACT_QUICK_GELU, NULL, NULL};
    struct err e = {0};

    *g = (struct clip_guiding){.scale = scale, .on = GUIDE_X0, .views = VIEWS};
    need(clip_guiding_open(g, &p, SIDE, k, a, &e) == 0, e.msg);
}

/* A record with a text_embed of n numbers, or with none. */
static struct record record_with(size_t n, struct arena *a) {
    float v[64];
    size_t shape[] = {n};
    struct err e = {0};
    struct record r;

    for (size_t i = 0; i < 64; i++)
        v[i] = (float)sin(1 + (double)i);
    need(record_new(&r, SPAN("r"), false, a, &e) == 0, e.msg);
    need(!n || record_set_tensor(&r, "text_embed", DT_F32, v, 1, shape, &e) == 0, e.msg);
    return r;
}

/* 100 scale times the mean cosine of the views of picture i. */
static double value(struct clip_guiding *g, const struct sample *s, size_t i, int t, const float *x0) {
    struct noise_key key = sample_key(s, 5, NOISE_VIEWS, i);
    struct view v[VIEWS];
    float p[N];
    double cos;

    for (size_t k = 0; k < VIEWS; k++) {
        struct draws d = draws_open(&key, (uint32_t)t * VIEWS + (uint32_t)k), box = draws_open(&key, (uint32_t)t * VIEWS);

        box.at = POOLED_BOX;
        view_draw(&v[k], VIEW_POOLED, SIDE, SIDE, &g->look.sight.prep, &d);
        pooled_box(&v[k], &box);
    }
    for (size_t k = 0; k < N; k++)
        p[k] = fminf(fmaxf(0.5f * x0[k] + 0.5f, 0), 1);
    look_run(&g->look.d.look, p, v, VIEWS, NULL, &cos);
    return 100 * g->scale * cos;
}

static void gradients(struct arena a) {
    struct err e = {0};
    const struct compute k = {kern_choose("c", PREC_F32, cpu_flags(), &e), NULL};
    float *x = arena_take(&a, 2 * N, sizeof *x), *g = arena_take(&a, 2 * N, sizeof *g), *one = arena_take(&a, N,
                                                                                                          sizeof *one);
    struct clip_guiding c;
    struct sample s;
    struct record r = record_with(D, &a);
    double slope = 0, up, down;

    open_guiding(&c, &k, 2, &a);
    need(sample_of(&s, &r, &a, &e) == 0 && clip_guiding_target(&c, &r, &s, 5, &a, &e) == 0, e.msg);
    ok(c.of.predicted, "it asks for predicted pictures");
    for (size_t i = 0; i < 2 * N; i++)    /* neighbours differ, so that a step changes no maximum; some are clamped */
        x[i] = (float)(i % SIDE % 3 + 3 * (i / SIDE % 3)) * 0.2f - 0.8f + (i % 57 == 0 ? 3 : 0);
    ok(c.of.gradient(c.of.ctx, 2, x, 300, g, a, &e) == 0, "two pictures %s", e.msg);
    ok(memcmp(g, g + N, N * sizeof *g) != 0, "two samples have views of their own");
    c.of.gradient(c.of.ctx, 1, x, 300, one, a, &e);
    ok(!memcmp(g, one, N * sizeof *g), "a sample does not depend on the others");
    c.of.gradient(c.of.ctx, 1, x, 301, one, a, &e);
    ok(memcmp(g, one, N * sizeof *g) != 0, "another step has other views");
    for (size_t i = 0; i < N; i++) {
        float along = i % 57 ? 0.01f * (float)sin(3 * (double)i) : 0;

        slope += (double)along * (double)g[i];
        one[i] = x[i] + along;
        x[N + i] = x[i] - along;
    }
    up = value(&c, &s, 0, 300, one), down = value(&c, &s, 0, 300, x + N);
    printf("# slope %.6g, from differences %.6g\n", slope, (up - down) / 2);
    ok(fabs(slope - (up - down) / 2) < 5e-3 * fabs(slope), "the gradient of 100 scale mean cos");
    for (size_t i = 0, still = 0; i < N; i += 57) {
        still += g[i] <= 0;    /* a pixel above white moves only down */
        if (i + 57 >= N)
            ok(still == (N + 56) / 57, "a pixel outside the range is not led further out");
    }
    for (int threads = 1; threads <= 3; threads += 2) {
        struct arena b = a;
        const struct compute more = {k.kern, pool_start(&b, threads, &e)};
        struct clip_guiding other;

        open_guiding(&other, &more, 2, &b);
        clip_guiding_target(&other, &r, &s, 5, &b, &e);
        other.of.gradient(other.of.ctx, 1, x, 300, one, b, &e);
        ok(!memcmp(g, one, N * sizeof *g), "the same bits with %d threads", threads);
        pool_stop(more.pool);
    }
}

static void records(struct arena a) {
    struct err e = {0};
    const struct compute k = {&kern_c, NULL};
    struct record wide = record_with(64, &a), none = record_with(0, &a);
    struct clip_guiding c;
    struct sample s;
    float x[N] = {0}, g[N];
    struct arena little;

    open_guiding(&c, &k, 1, &a);
    sample_of(&s, &wide, &a, &e);
    ok(clip_guiding_target(&c, &wide, &s, 0, &a, &e) < 0 && strstr(e.msg, "text_embed has 64 elements"), "%s", e.msg);
    err_clear(&e);
    ok(clip_guiding_target(&c, &none, &s, 0, &a, &e) < 0 && e.msg[0],
       "a record without a vector needs a tokenizer: %.80s", e.msg);
    err_clear(&e);
    little = (struct arena){a.at, a.at + 1000, a.mem};
    ok(c.of.gradient(c.of.ctx, 1, x, 0, g, little, &e) < 0 && !strcmp(e.msg, "out of memory"), "a small arena: %s",
       e.msg);
    c = (struct clip_guiding){.scale = 0};
    err_clear(&e);
    ok(clip_guiding_open(&c, NULL, SIDE, &k, &a, &e) == 0, "a scale of 0 opens nothing");
}

int main(void) {
    TAP_ARENA(a, 512);

    gradients(a);
    records(a);
    return done();
}
