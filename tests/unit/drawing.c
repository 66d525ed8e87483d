/* threads */
/* Drawing with a stand-in for the tower: a fixed linear map.  The gradient of all views against differences; that nothing
 * depends on threads and passes; and that drawing lowers the loss. */
#include "lib/draw/optimise.h"

#include "lib/base/cpu.h"
#include "lib/draw/pooled.h"
#include "lib/kernel/kern.h"
#include "tests/tap.h"

enum { S = 12, N = 3 * S * S, D = 8, H = 20, W = 24, VIEWS = 5 };

static float map[D][N], unit[2][D];

static void look(void *tower, size_t n, const float *planes, float *embed) {
    (void)tower;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < D; k++) {
            embed[i * D + k] = 0;
            for (size_t j = 0; j < N; j++)
                embed[i * D + k] += map[k][j] * planes[i * N + j];
        }
}

static void back(void *tower, size_t n, const float *d_embed, float *d_planes) {
    (void)tower;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < N; j++) {
            d_planes[i * N + j] = 0;
            for (size_t k = 0; k < D; k++)
                d_planes[i * N + j] += map[k][j] * d_embed[i * D + k];
        }
}

static const struct prep PREP = {.size = S, .crop = S, .normalize = true, .mean = {0.4f, 0.5f, 0.6f}, .std = {0.3f, 0.2f, 0.25f}};
static struct target TARGET[2] = {{unit[0], 1}, {unit[1], -0.3}};
static const struct eye EYES[2] = {{&PREP, D, NULL, look, back, TARGET, 2}, {&PREP, D, NULL, look, back, TARGET + 1, 1}};

static void fill(void) {
    struct noise_key k = {.seed = 9};

    noise_fill(&k, map[0], D * N);
    k.seed = 10;
    noise_fill(&k, unit[0], 2 * D);
    objective_unit(unit[0], D), objective_unit(unit[1], D);
}

static void differences(enum view_kind kind, enum loss_kind loss, const struct compute *k, struct arena a) {
    const struct noise_key key = {.seed = 5};
    struct err e = {0};
    struct look l;
    struct view v[2 * VIEWS];
    float x[3 * H * W], d[3 * H * W];
    double worst = 0, top = 0;

    ok(look_open(&l, k, EYES, 2, H, W, VIEWS, 2, loss, &a, &e) == 0, "look");
    for (uint32_t i = 0; i < 2 * VIEWS; i++) {
        struct draws s = draws_open(&key, i);

        view_draw(&v[i], kind, H, W, &PREP, &s);
        s.at = POOLED_BOX;
        if (kind == VIEW_POOLED)
            pooled_box(&v[i], &s);
    }
    noise_fill(&key, x, 3 * H * W);
    for (size_t i = 0; i < 3 * H * W; i++)
        x[i] = kind != VIEW_POOLED ? 0.5f + 0.1f * x[i] : 0.3f + 0.05f * (float)(i % W % 3 + 3 * (i / W % 3));    /* far from equal */
    look_run(&l, x, v, VIEWS, d, NULL);
    for (size_t i = 0; i < 3 * H * W; i += 13) {
        float was = x[i];
        double up, down;

        x[i] = was + 0.01f;
        up = look_run(&l, x, v, VIEWS, NULL, NULL);
        x[i] = was - 0.01f;
        down = look_run(&l, x, v, VIEWS, NULL, NULL);
        x[i] = was;
        worst = fmax(worst, fabs((up - down) / 0.02 - (double)d[i]));
        top = fmax(top, fabs((double)d[i]));
    }
    ok(worst < 3.2e-4 * top, "views %d, loss %d: the gradient is that of differences, %g of %g", (int)kind, (int)loss, worst, top);
}

struct seen {
    double first, last;
    size_t calls, stop;
};

static bool watch(void *ctx, size_t done, double loss) {
    struct seen *s = ctx;

    if (done == 1)
        s->first = loss;
    s->last = loss;
    s->calls++;
    return done != s->stop;
}

/* Draws and returns the score; the parameters go to out. */
static size_t draw(enum canvas_kind kind, size_t iterations, int threads, size_t pass, const float *init, struct seen *seen, float *out,
                   double *score, struct arena a) {
    struct err e = {0};
    struct compute k = {kern_choose("c", PREC_F32, cpu_flags(), &e), pool_start(&a, threads, &e)};
    const struct noise_key key = {.seed = 21, .stage = NOISE_STROKES};
    struct canvas c;
    struct look l;
    struct optimise o = {.canvas = &c, .look = &l, .kind = kind == CANVAS_STROKES ? VIEW_DRAW : VIEW_CUTOUT, .key = key,
                         .iterations = iterations, .lr = kind == CANVAS_STROKES ? 0.3 : 0.05, .watch = watch, .ctx = seen};
    size_t n, done;

    if (look_open(&l, &k, EYES, 2, H, W, VIEWS, pass, LOSS_COSINE, &a, &e) < 0 ||
        canvas_open(&c, kind, H, W, 12, init, &key, &k, &a, &e) < 0 || optimise_open(&o, &a, &e) < 0) {
        printf("Bail out! %s\n", e.msg);
        exit(1);
    }
    done = optimise_run(&o);
    *score = optimise_score(&o);
    n = c.count;
    memcpy(out, c.param, n * sizeof *out);
    memcpy(out + n, o.picture, 3 * H * W * sizeof *out);
    pool_stop(k.pool);
    return seen->stop ? done : n + 3 * H * W;
}

static void drawing(enum canvas_kind kind, struct arena a) {
    float *one = arena_take(&a, 9 * H * W, sizeof *one), *two = arena_take(&a, 9 * H * W, sizeof *two);
    struct seen s = {0}, t = {0}, stop = {.stop = 3};
    double score, again;
    size_t n = draw(kind, 30, 1, 1, NULL, &s, one, &score, a);

    ok(s.calls == 30 && s.last < s.first, "canvas %d: the loss falls from %.4f to %.4f; score %.4f", (int)kind, s.first, s.last, score);
    draw(kind, 30, 3, 4, NULL, &t, two, &again, a);
    ok(!memcmp(one, two, n * sizeof *one) && memcmp(&score, &again, sizeof score) == 0, "the same bytes with other threads and passes");
    ok(draw(kind, 30, 1, 5, NULL, &stop, two, &again, a) == 3, "a run ends where watch says so");
}

static void given_start(struct arena a) {
    volatile size_t all = 3 * H * W;    /* gcc 12 for arm64 stops with an internal error if it knows the length of the comparison */
    float *x = arena_take(&a, 9 * H * W, sizeof *x), *y = arena_take(&a, 3 * H * W, sizeof *y);
    struct seen s = {0};
    double score;

    for (size_t i = 0; i < 3 * H * W; i++)
        y[i] = 0.1f + 0.8f * (float)(i % W) / W;
    for (int kind = CANVAS_PIXELS; kind <= CANVAS_FOURIER; kind++) {
        draw((enum canvas_kind)kind, 0, 1, 1, y, &s, x, &score, a);
        close_to(x + 3 * H * W, y, all, 1e-6, 0, "a canvas that begins as a picture");
    }
}

int main(void) {
    TAP_ARENA(a, 64);
    struct err e = {0};
    const struct compute k = {kern_choose("c", PREC_F32, cpu_flags(), &e), NULL};

    fill();
    for (int kind = VIEW_DRAW; kind <= VIEW_POOLED; kind++)
        for (int loss = LOSS_COSINE; loss <= LOSS_SPHERICAL; loss++)
            differences((enum view_kind)kind, (enum loss_kind)loss, &k, a);
    for (int kind = CANVAS_STROKES; kind <= CANVAS_FOURIER; kind++)
        drawing((enum canvas_kind)kind, a);
    given_start(a);
    return done();
}
