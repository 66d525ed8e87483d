/* threads */
/* The gradient of a VQGAN's decoder with respect to its latents: against torch's autograd in f64 over a small decoder of the
 * same blocks (tests/golden/grad/vqclip), against the gradient of taming's own classes in f32 (tests/golden/dalle/vqgan), and
 * against differences.
 *
 * tests/unit/vq_grad_f64.c compiles this file and the networks once more, with double in the place of float. */
#include "lib/net/vq_grad.h"

#include "formats/checkpoint/weights.h"
#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/kernel/kern.h"
#include "lib/net/vq_net.h"

#include "tests/small_vqgan.h"
#include "tests/widen.h"

enum { DOUBLE = sizeof(float) == 8, GRID = SMALL_GRID, WIDE = SMALL_WIDE, SIDE = 4 * GRID, PICTURE = 3 * SIDE * SIDE };

static struct weights read_file(const char *path, struct arena *a) {
    struct weights ws;
    struct err e = {0};

    if (weights_open(&ws, path, a, &e) < 0)
        small_need(NULL, e.msg);
    widen(&ws, a);
    return ws;
}

static const float *at_step(const struct weights *z, int step, const char *name, struct arena *a) {
    char full[64];

    snprintf(full, sizeof full, "run.%d.%s", step, name);
    return small_golden(z, full, a);
}

static double cosine(const float *x, const float *y, size_t n) {
    double xy = 0, xx = 0, yy = 0;

    for (size_t i = 0; i < n; i++)
        xy += (double)x[i] * (double)y[i], xx += (double)x[i] * (double)x[i], yy += (double)y[i] * (double)y[i];
    return xy / sqrt(xx * yy);
}

/* The gradient by the picture that is not clamped: d is that by the clamped one. */
static float unclamp(float d, float x) {
    float over = x < 0 ? x : x > 1 ? x - 1 : 0;

    return d * over >= 0 ? d : 0;
}

static void small_decoder(const struct kern *kern, enum keep_mode mode, struct arena a) {
    static const char *const names[] = {"conv_in", "r1", "attn", "up1", "r2", "up2"};
    const struct weights z = read_file("tests/golden/grad/vqclip.safetensors", &a);
    const struct compute k = {kern, NULL};
    const bool half = kern->precision == PREC_BF16;
    const size_t cells = GRID * GRID;
    const double exact = DOUBLE ? 7e-15 : 3.9e-6;
    struct vq_decoder v;
    struct vq_grad *g;
    struct vq_pass *p;
    struct err e = {0};
    float *x = small_need(arena_take(&a, PICTURE, sizeof *x), "room");
    float *d = small_need(arena_take(&a, PICTURE, sizeof *d), "room");
    float *dz = small_need(arena_take(&a, cells * WIDE, sizeof *dz), "room");
    float *to = small_need(arena_take(&a, 32 * SIDE * SIDE, sizeof *to), "room");
    char what[96];

    small_vqgan(&v, &z, &k, &a);
    g = small_need(vq_grad_bind(&v, &k, &a, &e), e.msg);
    p = small_need(vq_pass_open(g, GRID, GRID, mode, &a, &e), e.msg);
    for (int t = 0; t < 3; t++) {
        const float *want = at_step(&z, t, "grad_image", &a);
        const float *latent = t ? at_step(&z, t, "z", &a) : small_golden(&z, "run.z0", &a);
        float *grad = small_last(at_step(&z, t, "grad_zq", &a), WIDE, cells, &a);

        ok(vq_pass_run(p, &k, small_last(latent, WIDE, cells, &a), x, a, &e) == 0, "a pass %s", e.msg);
        for (size_t i = 0; i < PICTURE; i++)
            d[i] = unclamp(want[i], x[i]), x[i] = x[i] < 0 ? 0 : x[i] > 1 ? 1 : x[i];
        snprintf(what, sizeof what, "step %d, %s %s, mode %d", t, kern->name, precision_name(kern->precision), (int)mode);
        if (!half)
            close_to(x, at_step(&z, t, "image", &a), PICTURE, DOUBLE ? 6.6e-15 : 3.6e-6, 0, what);
        ok(vq_pass_back(p, &k, d, dz, a, &e) == 0, "back %s", e.msg);
        if (half) {
            double same = cosine(dz, grad, cells * WIDE);

            printf("# %s: cosine 1 - %.2g\n", what, 1 - same);
            ok(same > 0.999, "%s: gradient at the latents", what);
        } else {
            close_to(dz, grad, cells * WIDE, 0, exact, what);
        }
    }
    if (half)
        return;
    vq_pass_run(p, &k, small_last(small_golden(&z, "run.z0", &a), WIDE, cells, &a), x, a, &e);
    for (size_t i = SMALL_OPS; --i > 0;) {    /* the gradient at the input of operation i, from the golden one at its result */
        const size_t side = i < 4 ? 8 : i < 6 ? 16 : 32, after = i < 3 ? 8 : i < 5 ? 16 : 32;
        const float *dy = d;
        char name[32];

        snprintf(name, sizeof name, "grad.%s", i < 6 ? names[i] : "");
        if (i < 6) {
            dy = small_last(at_step(&z, 0, name, &a), 32, after * after, &a);
        } else {
            float *y = small_need(arena_take(&a, PICTURE, sizeof *y), "room");

            for (size_t j = 0; j < PICTURE; j++)
                y[j] = (float)0.5 * unclamp(at_step(&z, 0, "grad_image", &a)[j], x[j]);
            dy = small_last(y, 3, SIDE * SIDE, &a);
        }
        ok(vq_pass_back_one(p, &k, i, dy, to, a) == 0, "operation %zu", i);
        snprintf(name, sizeof name, "grad.%s", names[i - 1]);
        snprintf(what, sizeof what, "%s, %s, mode %d", name, kern->name, (int)mode);
        close_to(to, small_last(at_step(&z, 0, name, &a), 32, side * side, &a), 32 * side * side, 0,
                 DOUBLE ? 2.7e-7 : 2.5e-6, what);
    }
}

/* The nearest rows are chosen as vector_quantize does. */
static void rows(const struct compute *k, struct arena a) {
    const struct weights z = read_file("tests/golden/grad/vqclip.safetensors", &a);
    const float *x = small_golden(&z, "vq.z", &a), *book = small_golden(&z, "vq.codebook", &a);
    const float *index = small_golden(&z, "vq.index", &a);
    struct vq_decoder v = {.c = {.pixels = VQ_SIGNED, .codes = 7}, .net = {.in = 5, .out = 5}, .row = book};
    struct err e = {0};
    struct vq_grad *g = small_need(vq_grad_bind(&v, k, &a, &e), e.msg);
    int same = 1;

    for (size_t i = 0; i < 24; i++) {
        double best = HUGE_VAL;
        size_t at = 0;

        for (size_t j = 0; j < 7; j++) {
            double far = 0;

            for (size_t c = 0; c < 5; c++)
                far += pow((double)x[5 * i + c] - (double)vq_grad_row(g, j)[c], 2);
            if (far < best)
                best = far, at = j;
        }
        same &= (double)at == (double)index[i];
    }
    ok(same, "the golden rows are the nearest ones");
    for (size_t c = 0; c < 5; c++) {
        float lo = book[c], hi = book[c];

        for (size_t j = 1; j < 7; j++)
            lo = book[5 * j + c] < lo ? book[5 * j + c] : lo, hi = book[5 * j + c] > hi ? book[5 * j + c] : hi;
        same &= vq_grad_least(g)[c] == lo && vq_grad_most(g)[c] == hi;
    }
    ok(same && vq_grad_width(g) == 5, "the range of each column");
}

/* ---- checkpoints of taming's classes ---- */

static struct vq_decoder *open_net(struct weights *ws, const char *name, const struct compute *k, struct arena *a) {
    struct vq_config c;
    struct err e = {0};
    char path[96];

    snprintf(path, sizeof path, "tests/golden/dalle/%s", name);
    *ws = read_file(path, a);
    if (vq_config_from_weights(&c, ws, &e) < 0)
        small_need(NULL, e.msg);
    return small_need(vq_bind_decoder(&c, ws, k, a, &e), e.msg);
}

static void taming(const struct kern *kern, struct arena a) {
    const struct compute k = {kern, NULL};
    const struct weights io = read_file("tests/golden/dalle/vqgan/vq/io.safetensors", &a);
    struct weights ws;
    struct err e = {0};
    struct vq_decoder *v = open_net(&ws, "vqgan/vq/model.ckpt", &k, &a);
    struct vq_grad *g = small_need(vq_grad_bind(v, &k, &a, &e), e.msg);
    const float *z = small_golden(&io, "grad.z", &a), *cot = small_golden(&io, "grad.cot", &a);
    const size_t n = 3 * 20 * 24, wide = vq_grad_width(g), ratio = v->c.ratio;
    struct vq_pass *p;
    float *x = small_need(arena_take(&a, n, sizeof *x), "room"), *d = small_need(arena_take(&a, n, sizeof *d), "room");
    float *dz = small_need(arena_take(&a, 30 * wide, sizeof *dz), "room");

    ok(wide == 24 && 5 * ratio == 20, "latents of %zu, %zu pixels a side", wide, ratio);
    p = small_need(vq_pass_open(g, 5, 6, KEEP_ALL, &a, &e), e.msg);
    ok(vq_pass_run(p, &k, small_last(z, wide, 30, &a), x, a, &e) == 0, "a pass %s", e.msg);
    for (size_t i = 0; i < n; i++)    /* the golden numbers belong to the network's result, not to pixels in [0, 1] */
        x[i] = 2 * x[i] - 1, d[i] = 2 * cot[i];
    close_to(x, small_golden(&io, "grad.out", &a), n, 0, 7.8e-6, "taming's decoder");
    ok(vq_pass_back(p, &k, d, dz, a, &e) == 0, "back %s", e.msg);
    close_to(dz, small_last(small_golden(&io, "grad.z_grad", &a), wide, 30, &a), 30 * wide, 0, 1e-5,
             "its gradient at the latents");
}

/* Fills x with numbers in [-0.5, 0.5). */
static void scatter(float *x, size_t n, unsigned seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((double)(seed >> 8) / (1 << 24) - 0.5);
    }
}

/* A step along a direction at the rows changes sum G x by what the gradient says.  The codebook itself is moved, since a
 * latent that moves keeps its row. */
static void differences(const char *name, struct arena a) {
    const struct compute k = {&kern_c, NULL};
    struct weights ws;
    struct err e = {0};
    struct vq_decoder *v = open_net(&ws, name, &k, &a);
    const size_t h = 2, w = 3, n = 3 * h * w * v->c.ratio * v->c.ratio, wide = v->net.in;
    const double step = DOUBLE ? 1e-6 : 1e-2;
    float *z = small_need(arena_take(&a, h * w * wide, sizeof *z), "room");
    float *dz = small_need(arena_take(&a, h * w * wide, sizeof *dz), "room");
    float *x = small_need(arena_take(&a, n, sizeof *x), "room"), *cot = small_need(arena_take(&a, n, sizeof *cot), "room");
    float *row = small_need(arena_take(&a, h * w * wide, sizeof *row), "room");
    float *along = small_need(arena_take(&a, h * w * wide, sizeof *along), "room");
    double slope = 0, sum[2] = {0};
    struct vq_pass *p;

    memcpy(row, v->row, h * w * wide * sizeof *row);
    v->row = row, v->c.codes = h * w;
    scatter(cot, n, 1), scatter(along, h * w * wide, 2);
    for (int sign = 0; sign < 3; sign++) {    /* 2: in the middle */
        struct arena b = a;
        struct vq_grad *g;

        for (size_t i = 0; i < h * w * wide; i++)
            row[i] = z[i] = (float)((double)row[i] + step * (double)along[i] * (sign == 1 ? -2 : 1));
        g = small_need(vq_grad_bind(v, &k, &b, &e), e.msg);
        p = small_need(vq_pass_open(g, h, w, KEEP_INPUTS, &b, &e), e.msg);
        vq_pass_run(p, &k, z, x, b, &e);
        for (size_t i = 0; i < n && sign < 2; i++)
            sum[sign] += (double)cot[i] * (double)x[i];
        if (sign == 2)
            vq_pass_back(p, &k, cot, dz, b, &e);
    }
    for (size_t i = 0; i < h * w * wide; i++)
        slope += (double)along[i] * (double)dz[i];
    printf("# %s: slope %.12g, from differences %.12g\n", name, slope, (sum[0] - sum[1]) / (2 * step));
    ok(fabs(slope - (sum[0] - sum[1]) / (2 * step)) < (DOUBLE ? 1e-7 : 0.01) * fabs(slope), "%s: differences", name);
}

/* Nothing depends on threads and modes, and a small arena is an error. */
static void bits(struct arena a) {
    struct err e = {0};
    float *dz[4], x[3 * 20 * 24], d[3 * 20 * 24];

    scatter(d, sizeof d / sizeof *d, 3);
    for (int i = 0; i < 4; i++) {
        const struct compute k = {kern_choose(NULL, PREC_F32, DOUBLE ? 0 : cpu_flags(), &e),
                                  i % 2 ? pool_start(&a, 3, &e) : NULL};
        struct weights ws;
        struct vq_decoder *v = open_net(&ws, "vqgan/vq/model.ckpt", &k, &a);
        struct vq_grad *g = small_need(vq_grad_bind(v, &k, &a, &e), e.msg);
        const enum keep_mode mode = i < 2 ? KEEP_ALL : KEEP_INPUTS;
        struct vq_pass *p = small_need(vq_pass_open(g, 5, 6, mode, &a, &e), e.msg);
        float *z = small_need(arena_take(&a, 30 * 24, sizeof *z), "room");

        dz[i] = small_need(arena_take(&a, 30 * 24, sizeof *z), "room");
        scatter(z, 30 * 24, 4);
        ok(vq_pass_run(p, &k, z, x, a, &e) == 0 && vq_pass_back(p, &k, d, dz[i], a, &e) == 0, "run %d %s", i, e.msg);
        ok(!i || !memcmp(dz[i], dz[0], 30 * 24 * sizeof *z), "the same bits, %d threads, mode %d", i % 2 ? 3 : 1,
           (int)mode);
        if (i == 0) {
            struct arena little = {a.at, a.at + 20000, a.mem};

            ok(vq_pass_bytes(g, 5, 6, KEEP_INPUTS) < vq_pass_bytes(g, 5, 6, KEEP_ALL), "KEEP_INPUTS keeps less");
            ok(vq_pass_run(p, &k, z, x, little, &e) < 0 && !strcmp(e.msg, "out of memory"), "a small arena: %s", e.msg);
            err_clear(&e);
            ok(vq_pass_back(p, &k, d, dz[i], little, &e) < 0 && !strcmp(e.msg, "out of memory"), "and backwards: %s",
               e.msg);
            err_clear(&e);
            vq_pass_run(p, &k, z, x, a, &e), vq_pass_back(p, &k, d, dz[i], a, &e);
            ok(!vq_pass_open(g, 5, 6, KEEP_ALL, &little, &e) && strstr(e.msg, "no memory"), "or for the pass: %s", e.msg);
            err_clear(&e);
        }
        pool_stop(k.pool);
    }
}

int main(void) {
    TAP_ARENA(a, 256);
    struct err e = {0};
    const struct compute k = {&kern_c, NULL};
    struct weights ws;
    const struct kern *kern;

    for (size_t i = 0; (kern = kern_list(i, DOUBLE ? 0 : cpu_flags())); i++)
        for (int mode = KEEP_ALL; mode <= KEEP_INPUTS; mode += 2)
            if (!DOUBLE || kern->precision == PREC_F32)
                small_decoder(kern, (enum keep_mode)mode, a);
    rows(&k, a);
    for (size_t i = 0; (kern = kern_list(i, DOUBLE ? 0 : cpu_flags())); i++)
        if (kern->precision == PREC_F32)
            taming(kern, a);
    differences("vqgan/gumbel/model.ckpt", a);
    differences("vqgan/gumbel_dwt/model.ckpt", a);
    ok(!vq_grad_bind(open_net(&ws, "dvae/decoder.pkl", &k, &a), &k, &a, &e) && strstr(e.msg, "VQGAN"),
       "a dVAE is refused: %s", e.msg);
    bits(a);
    return done();
}
