/* Views, losses, Adam and the Fourier canvas: against torchvision, VQGAN-CLIP and torch in f64 (tests/golden/clipdraw), and
 * against differences. */
#include "lib/draw/view.h"

#include "lib/base/cpu.h"
#include "lib/draw/canvas.h"
#include "lib/draw/objective.h"
#include "lib/draw/pooled.h"
#include "lib/kernel/kern.h"
#include "tests/golden_file.h"

#define FILE_OF(name) "tests/golden/clipdraw/" name ".safetensors"

static void corners(const struct weights *z, const char *name, int to[4][2], struct arena a) {
    const float *v = golden_floats(z, name, NULL, &a);

    for (int i = 0; i < 8; i++)
        to[i / 2][i % 2] = (int)v[i];
}

static const char *key(const char *n, const char *name) {
    static char buf[8][64];
    static int at;

    at = (at + 1) % 8;
    snprintf(buf[at], sizeof buf[at], "%s.%s", n, name);
    return buf[at];
}

/* torchvision's perspective and resized crop, forward and backward. */
static void augment(struct arena keep) {
    const char *const names[] = {"0", "1", "2", "s16", "s64"};
    struct weights z = golden_open(FILE_OF("augment"), &keep);
    const float *picture = golden_floats(&z, "picture", NULL, &keep);

    for (size_t i = 0; i < 5; i++) {
        struct arena a = keep;
        size_t n;
        const float *want = golden_floats(&z, key(names[i], "out"), &n, &a), *crop = golden_floats(&z, key(names[i], "crop_ijhw"), NULL, &a);
        struct view v = {.kind = VIEW_DRAW, .y = (size_t)crop[0], .x = (size_t)crop[1], .h = (size_t)crop[2], .w = (size_t)crop[3]};
        float *out = arena_take(&a, n, sizeof *out), *d = arena_zero(&a, 3 * 32 * 32, sizeof *d);
        int start[4][2], end[4][2];
        void *scratch;

        v.side = square_root(n / 3);
        scratch = arena_take(&a, view_scratch(32, 32, v.side), 1);
        corners(&z, key(names[i], "start"), start, a);
        corners(&z, key(names[i], "end"), end, a);
        view_perspective(start, end, v.warp);
        close_to(v.warp, golden_floats(&z, key(names[i], "coeffs"), NULL, &a), 8, 0, 1e-7, key(names[i], "coefficients"));
        view_run(&v, picture, 32, 32, out, scratch);
        close_to(out, want, n, 8e-7, 0, key(names[i], "view"));
        view_back(&v, NULL, golden_floats(&z, key(names[i], "R"), NULL, &a), d, 32, 32, scratch);
        close_to(d, golden_floats(&z, key(names[i], "grad"), NULL, &a), 3 * 32 * 32, 0, 4e-7, key(names[i], "gradient"));
    }
}

/* CLIP's preprocessing, in floats. */
static void whole(struct arena a) {
    struct weights z = golden_open(FILE_OF("augment"), &a);
    const struct prep p = {.size = 16, .crop = 16, .filter = FILTER_BICUBIC, .normalize = true,
                           .mean = {0.48145466f, 0.4578275f, 0.40821073f}, .std = {0.26862954f, 0.26130258f, 0.27577711f}};
    float *raw = arena_take(&a, 768, sizeof *raw), *out = arena_take(&a, 768, sizeof *out), *d = arena_zero(&a, 3 * 37 * 50, sizeof *d);
    void *scratch = arena_take(&a, view_scratch(37, 50, 16), 1);
    struct view v;

    view_draw(&v, VIEW_WHOLE, 37, 50, &p, NULL);
    view_run(&v, golden_floats(&z, "resize.picture", NULL, &a), 37, 50, raw, scratch);
    view_planes(&v, &p, raw, out);
    close_to(out, golden_floats(&z, "resize.normalised", NULL, &a), 768, 2e-6, 0, "the whole, normalised");
    memcpy(out, golden_floats(&z, "resize.R", NULL, &a), 768 * sizeof *out);
    view_planes_back(&v, &p, raw, out);
    view_back(&v, NULL, out, d, 37, 50, scratch);
    close_to(d, golden_floats(&z, "resize.grad", NULL, &a), 3 * 37 * 50, 0, 1e-6, "its gradient");
}

/* VQGAN-CLIP's cutouts. */
static void cutouts(struct arena a) {
    struct weights z = golden_open(FILE_OF("cutouts"), &a);
    const float *image = golden_floats(&z, "cut.image", NULL, &a), *at = golden_floats(&z, "cut.offset_y_x_size", NULL, &a);
    const float *want = golden_floats(&z, "cut.resampled", NULL, &a), *G = golden_floats(&z, "cut.G", NULL, &a);
    const struct prep none = {.crop = 16};
    float *out = arena_take(&a, 768, sizeof *out), *d = arena_zero(&a, 3 * 40 * 52, sizeof *d), *g = arena_take(&a, 768, sizeof *g);
    void *scratch = arena_take(&a, view_scratch(40, 52, 16), 1);
    struct axis y, x;
    float *between = arena_take(&a, 16 * 16, sizeof *between);

    for (size_t i = 0; i < 4; i++) {
        struct view v = {.kind = VIEW_CUTOUT, .side = 16, .y = (size_t)at[3 * i], .x = (size_t)at[3 * i + 1]};

        v.h = v.w = (size_t)at[3 * i + 2];
        view_run(&v, image, 40, 52, out, scratch);
        close_to(out, want + 768 * i, 768, 4.8e-7, 0, "a cutout, resampled");
        view_planes(&v, &none, out, g);
        close_to(g, golden_floats(&z, "cut.clamped", NULL, &a) + 768 * i, 768, 4.8e-7, 0, "clamped");
        memcpy(g, G + 768 * i, 768 * sizeof *g);
        view_planes_back(&v, &none, out, g);
        view_back(&v, NULL, g, d, 40, 52, scratch);
    }
    close_to(d, golden_floats(&z, "cut.grad_image", NULL, &a), 3 * 40 * 52, 0, 3e-7, "the gradient of all cutouts");
    axis_make(&y, AXIS_CUTOUT, 10, 16, 0, 16, arena_take(&a, axis_bytes(10, 16), 1));
    axis_make(&x, AXIS_CUTOUT, 9, 16, 0, 16, arena_take(&a, axis_bytes(9, 16), 1));
    axis_pair_run(&y, &x, golden_floats(&z, "up.image", NULL, &a), 90, 9, out, between);
    close_to(out, golden_floats(&z, "up.out", NULL, &a), 768, 8e-7, 0, "a cutout that is enlarged");
    for (size_t i = 0; i < 40; i++)
        g[i] = view_clamp_back(golden_floats(&z, "clamp.G", NULL, &a)[i], golden_floats(&z, "clamp.x", NULL, &a)[i]);
    close_to(g, golden_floats(&z, "clamp.grad_x", NULL, &a), 40, 0, 0, "the clamp's gradient");
}

/* For many pairs of sides: the weights of a row sum to 1, and no row reaches beyond the input. */
static void axes(struct arena keep) {
    size_t bad = 0;

    for (size_t in = 1; in < 40; in += 2)
        for (size_t out = 1; out < 30; out++)
            for (enum axis_kind kind = AXIS_TRIANGLE; kind <= AXIS_CUTOUT; kind++) {
                struct arena a = keep;
                struct axis x;

                axis_make(&x, kind, in, out, 0, out, arena_take(&a, axis_bytes(in, out), 1));
                for (size_t i = 0; i < out; i++) {
                    double sum = 0;

                    for (size_t k = 0; k < x.taps; k++)
                        sum += (double)x.weight[i * x.taps + k];
                    bad += !(fabs(sum - 1) < 1e-6) || x.lo[i] + x.taps > in;
                }
            }
    ok(bad == 0, "the weights of all axes sum to 1 and stay inside");
}

/* Drawn views stay in the picture, and have the published ranges. */
static void drawn(void) {
    const struct prep p = {.size = 24, .crop = 24};
    struct noise_key k = {.seed = 1, .id = 2, .stage = NOISE_VIEWS};
    size_t bad = 0, small = 0;

    for (uint32_t i = 0; i < 3000; i++) {
        struct draws d = draws_open(&k, i);
        size_t h = 24 + i % 50, w = 24 + i % 37, side;
        struct view v;

        view_draw(&v, VIEW_DRAW, h, w, &p, &d);
        bad += v.y + v.h > h || v.x + v.w > w || d.at > DRAWS_MOST;
        if (3 * h <= 4 * w && 3 * w <= 4 * h)    /* other pictures may get a smaller crop, in the middle */
            bad += v.h * v.w * 10 < h * w * 6 || v.h * v.w * 100 > h * w * 95;
        view_draw(&v, VIEW_CUTOUT, h, w, &p, &d);
        side = size_min(h, w);
        bad += v.y + v.h > h || v.x + v.w > w || v.h != v.w || v.h < 24 || v.h > side;
        small += v.h < (24 + side) / 2;
        view_draw(&v, VIEW_WHOLE, h, w, &p, &d);
        bad += v.cut_y + 24 > v.full_y || v.cut_x + 24 > v.full_x;
    }
    ok(bad == 0, "drawn views are inside the picture and in their ranges");
    ok(small > 1300 && small < 1750, "half of the cutouts are small (%zu of 3000)", small);
}

/* The spherical loss against the reference; the cosine against differences. */
static void losses(struct arena a) {
    struct weights z = golden_open(FILE_OF("cutouts"), &a);
    const float *e = golden_floats(&z, "loss.embeds", NULL, &a), *prompts = golden_floats(&z, "loss.prompts", NULL, &a);
    const float *weight = golden_floats(&z, "loss.weights", NULL, &a);
    float unit[4][12], g[6 * 12], value[4], *want = arena_take(&a, 72, sizeof *want), shifted[12];
    double worst = 0;

    for (size_t k = 0; k < 4; k++) {
        struct target t = {unit[k], (double)weight[k]};
        double sum = 0;

        memcpy(unit[k], prompts + 12 * k, sizeof unit[k]);
        ok(objective_unit(unit[k], 12) == 0, "a target");
        for (size_t i = 0; i < 6; i++)
            sum += objective(LOSS_SPHERICAL, &t, 1, 12, e + 12 * i, 1.0 / 6, g + 12 * i, NULL);
        value[k] = (float)sum;
        if (k < 2)    /* the others stop where they are near enough */
            close_to(g, golden_floats(&z, "loss.grads", NULL, &a) + 72 * k, 72, 0, 4.6e-7, "the spherical loss's gradient");
    }
    close_to(value, golden_floats(&z, "loss.values", NULL, &a), 4, 0, 3.9e-7, "spherical losses");
    for (int kind = LOSS_COSINE; kind <= LOSS_SPHERICAL; kind++) {
        const struct target t[2] = {{unit[0], 0.7}, {unit[1], -0.3}};
        double cos, dot = 0, square = 0;

        objective((enum loss_kind)kind, t, 2, 12, e, 0.5, g, &cos);
        for (size_t i = 0; i < 12; i++)
            dot += (double)e[i] * (double)unit[0][i], square += (double)e[i] * (double)e[i];
        ok(fabs(cos - dot / sqrt(square)) < 1e-15, "the cosine is that with the first target");
        for (size_t i = 0; i < 12; i++) {
            double up, down;

            memcpy(shifted, e, sizeof shifted);
            shifted[i] = e[i] + 0.01f;
            up = objective((enum loss_kind)kind, t, 2, 12, shifted, 0.5, NULL, NULL);
            shifted[i] = e[i] - 0.01f;
            down = objective((enum loss_kind)kind, t, 2, 12, shifted, 0.5, NULL, NULL);
            worst = fmax(worst, fabs((up - down) / 0.02 - (double)g[i]));
        }
        ok(worst < 2.2e-6, "the gradient of two targets is that of differences, %g", worst);
    }
    memset(shifted, 0, sizeof shifted);
    ok(objective_unit(shifted, 12) < 0, "no unit vector of length 0");
    {
        const struct target t = {unit[0], 1};

        objective(LOSS_SPHERICAL, &t, 1, 12, shifted, 1, g, NULL);
        ok(g[0] == 0 && g[11] == 0, "no gradient at 0");
        objective(LOSS_SPHERICAL, &t, 1, 12, unit[0], 1, g, NULL);
        ok(fabsf(g[0]) < 1e-6f, "nor at the target");
    }
}

/* The amplitudes' gradient is that of differences, and a picture comes back from its amplitudes. */
static void fourier(struct arena a) {
    enum { H = 10, W = 12, N = 3 * H * W };
    struct err e = {0};
    const struct compute k = {kern_choose("c", PREC_F32, cpu_flags(), &e), NULL};
    float amp[N], p[N], q[N], R[N], g[N], back[N];
    struct noise_key key = {.seed = 3};
    struct fourier f;
    double worst = 0, top = 0;

    ok(fourier_open(&f, H, W, &k, &a, &e) == 0, "frequencies of %d x %d", W, H);
    noise_fill(&key, amp, N);
    key.seed = 4;
    noise_fill(&key, R, N);
    fourier_run(&f, amp, p);
    fourier_back(&f, p, R, g);
    for (size_t i = 0; i < N; i += 7) {
        float was = amp[i];
        double v = 0;

        for (int s = 1; s >= -1; s -= 2) {
            amp[i] = was + (float)s * 0.01f;
            fourier_run(&f, amp, q);
            for (size_t j = 0; j < N; j++)
                v += s * (double)R[j] * (double)q[j] / 0.02;
        }
        amp[i] = was;
        worst = fmax(worst, fabs(v - (double)g[i]));
        top = fmax(top, fabs((double)g[i]));
    }
    ok(worst < 3.2e-4 * top, "the gradient by frequencies is that of differences, %g of %g", worst, top);
    for (size_t i = 0; i < N; i++)
        p[i] = 0.5f + 0.4f * (float)sin(0.3 * (double)i);
    fourier_of(&f, p, amp);
    fourier_run(&f, amp, back);
    close_to(back, p, N, 4.7e-7, 0, "a picture comes back from its amplitudes");
}

/* The pooling against torch, and what random views are like. */
static void pooled(struct arena a) {
    enum { S = 16, N = 3 * S * S, VIEWS = 2000 };
    const struct weights z = golden_open("tests/golden/grad/vqclip.safetensors", &a);
    const struct prep p = {.size = S, .crop = S};
    const float *x = golden_floats(&z, "cut.image", NULL, &a);
    float *out = golden_room(&a, N, sizeof *out), *again = golden_room(&a, N, sizeof *again), *d = golden_room(&a, 3 * 40 * 52, sizeof *d);
    void *scratch = golden_room(&a, view_scratch(40, 52, S), 1);
    const struct noise_key key = {.seed = 7, .stage = NOISE_VIEWS};
    int still = 0, plain = 0, boxes = 0, bad = 0;
    double far = 0, grain = 0, most = 0;
    struct view v;

    pooled_pool(x, 40, 52, S, out);
    close_to(out, golden_floats(&z, "pool.out", NULL, &a), N, 2.4e-7, 0, "torch's pools");
    memset(d, 0, 3 * 40 * 52 * sizeof *d);
    pooled_pool_back(x, golden_floats(&z, "pool.G", NULL, &a), 40, 52, S, d);
    close_to(d, golden_floats(&z, "pool.grad_image", NULL, &a), 3 * 40 * 52, 0, 4e-7, "their gradient");
    for (uint32_t i = 0; i < VIEWS; i++) {
        struct draws s = draws_open(&key, i), box = draws_open(&key, i);
        float grey[3];

        box.at = POOLED_BOX;
        view_draw(&v, VIEW_POOLED, 40, 52, &p, &s);
        pooled_box(&v, &box);
        still += v.warp[0] == 1 && v.warp[1] == 0 && v.warp[2] == 0 && v.warp[7] == 0;
        plain += v.colour[0][0] == 1 && v.colour[0][1] == 0;
        boxes += v.box[2] > 0;
        bad += s.at != 22 || box.at != POOLED_BOX + 6 || v.box[0] + v.box[2] > S || v.box[1] + v.box[3] > S;
        for (int c = 0; c < 3; c++)
            grey[c] = 0.5f * (v.colour[c][0] + v.colour[c][1] + v.colour[c][2]) + v.colour[c][3];
        far = fmax(far, fmax(fabs((double)grey[0] - (double)grey[1]), fabs((double)grey[0] - (double)grey[2])));
        most = fmax(most, fabs((double)grey[0] - 0.5));
        grain += (double)v.grain / VIEWS;
    }
    ok(bad == 0, "boxes are inside, and a view takes 22 numbers");
    ok(abs(still - VIEWS * 9 / 100) < 60 && abs(plain - VIEWS * 3 / 10) < 90 && abs(boxes - VIEWS * 7 / 10) < 90,
       "of %d views %d are not moved, %d keep their colours, %d have a box", VIEWS, still, plain, boxes);
    ok(far < 4e-7 && most > 0.04 && most < 0.0551, "grey stays grey, %g, and gets up to %.3f lighter or darker", far, most);
    ok(fabs(grain - 0.05) < 0.003, "the mean of the noise's deviation is %.4f", grain);
    v = (struct view){.kind = VIEW_POOLED, .side = S, .warp = {1, 0, 0, 0, 1, 0, 0, 0}, .colour = {{1}, {0, 1}, {0, 0, 1}}};
    view_run(&v, x, 40, 52, again, scratch);
    close_to(again, out, N, 0, 0, "a view that nothing happens to");
    v.box[0] = 2, v.box[1] = 3, v.box[2] = 4, v.box[3] = 5;
    view_run(&v, x, 40, 52, again, scratch);
    ok(again[2 * S + 3] == 0 && again[5 * S + 7] == 0 && again[2 * S + 2] > 0 && again[6 * S + 3] > 0, "a box is black");
}

int main(void) {
    TAP_ARENA(a, 64);

    augment(a);
    whole(a);
    cutouts(a);
    axes(a);
    drawn();
    losses(a);
    fourier(a);
    pooled(a);
    return done();
}
