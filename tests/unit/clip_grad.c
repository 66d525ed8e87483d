/* threads */
/* Gradients through the image towers against tests/golden/grad: torch's autograd in f64 over the towers of
 * tests/golden/clip.  The loss is the cosine between each picture's embedding and a target.
 *
 * tests/unit/clip_grad_f64.c compiles this file and the networks once more, with double in the place of float. */
#include "formats/checkpoint/weights.h"
#include "lib/net/clip_grad.h"
#include "lib/net/clip_vision.h"
#include "lib/net/resnet_back.h"
#include "lib/net/vit_back.h"
#include "lib/layer/norm.h"

#include "tests/kernels.h"
#include "tests/tap.h"
#include "tests/widen.h"

enum { N = 2, MOST_EMBED = 64, DOUBLE = sizeof(float) == 8 };

static const double std_[3] = {0.26862954, 0.26130258, 0.27577711}, mean_[3] = {0.48145466, 0.4578275, 0.40821073};

struct golden {
    const char *name;
    struct weights ws, io;
    struct clip_config config;
    const float *target;
    float *images;    /* normalised */
    size_t embed, pixels;
};

static void *need(void *p, const char *what) {
    if (!p) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
    return p;
}

static struct weights read_file(const char *dir, const char *name, struct arena *a) {
    char path[256];
    struct err e = {0};
    struct weights_file f;

    snprintf(path, sizeof path, "tests/golden/%s/%s.safetensors", dir, name);
    if (weights_load(&f, path, a, &e) < 0)
        need(NULL, e.msg);
    widen(&f.weights, a);
    return f.weights;
}

/* A golden tensor, or NULL. */
static const float *io(const struct golden *g, const char *name, struct arena *a) {
    const struct weight *w = weights_find(&g->io, name);

    return w ? need((void *)(uintptr_t)tensor_all_f32(&w->t, a), name) : NULL;
}

static void load(struct golden *g, const char *name, struct arena *a) {
    struct err e = {0};
    const float *picture;
    size_t s;

    g->name = name;
    g->ws = read_file("clip", name, a);
    g->io = read_file("grad", name, a);
    if (clip_canonical_names(&g->ws, &g->config.family, &e) < 0 || clip_config_from_weights(&g->config, &g->ws, &e) < 0)
        need(NULL, e.msg);
    g->config.vision.eps = (float)1e-5;
    s = g->config.vision.image;
    g->embed = g->config.vision.embed;
    g->pixels = 3 * s * s;
    g->target = io(g, "target", a);
    picture = io(g, "picture", a);
    g->images = need(arena_take(a, N * g->pixels, sizeof(float)), "images");
    for (size_t i = 0; i < N * g->pixels; i++) {
        size_t ch = i / (s * s) % 3;
        g->images[i] = (float)(((double)picture[i] - mean_[ch]) / std_[ch]);
    }
}

/* Returns the cosine of e and the target, and its gradient by e. */
static double cosine_back(const struct golden *g, const float *e, float *de) {
    double ee = 0, tt = 0, et = 0, c;

    for (size_t i = 0; i < g->embed; i++) {
        ee += (double)e[i] * (double)e[i];
        tt += (double)g->target[i] * (double)g->target[i];
        et += (double)e[i] * (double)g->target[i];
    }
    c = et / sqrt(ee * tt);
    for (size_t i = 0; i < g->embed; i++)
        de[i] = (float)((double)g->target[i] / sqrt(ee * tt) - c * (double)e[i] / ee);
    return c;
}

static double cosine(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < n; i++)
        ab += (double)a[i] * (double)b[i], aa += (double)a[i] * (double)a[i], bb += (double)b[i] * (double)b[i];
    return ab / sqrt(aa * bb);
}

/* Computes the gradient of n images; returns the sum of their cosines. */
static double gradient(const struct golden *g, const struct compute *c, enum keep_mode mode, size_t n, const float *images,
                       float *embed, float *dx, struct arena a) {
    struct err e = {0};
    struct clip_vision *v = need(clip_bind_vision(&g->config, &g->ws, c, &a, &e), e.msg);
    struct clip_grad *b = need(clip_grad_bind(v, c, &a, &e), e.msg);
    size_t size = clip_grad_scratch(b, n, mode);
    void *kept = need(arena_take(&a, size, 1), "scratch");
    float *de = need(arena_take(&a, n * g->embed, sizeof *de), "embeddings");
    double sum = 0;

    memset(kept, 0xff, size);
    clip_image_keep(b, c, n, mode, images, embed, kept);
    for (size_t i = 0; i < n; i++)
        sum += cosine_back(g, embed + i * g->embed, de + i * g->embed);
    clip_image_back(b, c, n, mode, de, dx, kept);
    return sum;
}

/* Multiplies a gradient at normalised pixels by 1 / std: the gradient at pixels in [0, 1]. */
static void at_picture(const struct golden *g, float *dx) {
    size_t plane = g->pixels / 3;

    for (size_t i = 0; i < N * g->pixels; i++)
        dx[i] = (float)((double)dx[i] / std_[i / plane % 3]);
}

static void parity(const struct golden *g, const struct kern *k, struct arena a) {
    static const char *const modes[] = {"all kept", "states kept", "inputs kept"};
    struct compute c = {k, NULL};
    struct err e = {0};
    const float *want = io(g, "f64.grad.picture", &a), *cos_ = io(g, "f64.cos", &a);
    float *dx = need(arena_take(&a, N * g->pixels, sizeof *dx), "gradient"), embed[N * MOST_EMBED], plain[N * MOST_EMBED];
    struct clip_vision *v = need(clip_bind_vision(&g->config, &g->ws, &c, &a, &e), e.msg);
    bool resnet = g->config.vision.kind == VISION_RESNET, half = k->precision == PREC_BF16;
    char what[96];

    if (resnet && half) {
        ok(!clip_grad_bind(v, &c, &a, &e) && strstr(e.msg, "f32"), "%s: bf16 is refused: %s", g->name, e.msg);
        return;
    }
    clip_image_run(v, &c, N, g->images, plain, NULL, need(arena_take(&a, clip_image_scratch(v, N), 1), "scratch"));
    for (int mode = KEEP_ALL; mode <= (resnet ? KEEP_ALL : KEEP_INPUTS); mode++) {    /* a ResNet has one mode */
        double sum = gradient(g, &c, (enum keep_mode)mode, N, g->images, embed, dx, a), same;

        ok(!memcmp(embed, plain, N * g->embed * sizeof *embed), "%s, %s: embeddings are those of a plain run", g->name, k->name);
        at_picture(g, dx);
        snprintf(what, sizeof what, "%s, %s %s, %s: gradient", g->name, k->name, precision_name(k->precision), modes[mode]);
        same = cosine(dx, want, N * g->pixels);
        printf("# %s: cosine 1 - %.2g, sum of cosines off by %.2g\n", what, 1 - same,
               fabs(sum - (double)cos_[0] - (double)cos_[1]));
        if (half) {
            ok(same > 0.999, "%s", what);
        } else {
            /* of the ResNet avx2, BLIS and C are 9.4e-6 away, and torch in f32 is 9.6e-6 away */
            close_to(dx, want, N * g->pixels, 0, DOUBLE ? 2e-14 : 1e-5, what);
            ok(same > 1 - 1e-8 && fabs(sum - (double)cos_[0] - (double)cos_[1]) < (DOUBLE ? 1e-12 : 4e-6), "%s: direction", what);
        }
    }
}

/* The gradient at the result of each layer, and after its attention. */
static void layers(const struct golden *g, const struct kern *k, enum keep_mode mode, struct arena a) {
    struct compute c = {k, NULL};
    struct err e = {0};
    const struct clip_vision *cv = need(clip_bind_vision(&g->config, &g->ws, &c, &a, &e), e.msg);
    const struct vit *v = &cv->of.vit;
    size_t d = v->width, rows = N * v->tokens, len[N], row[N] = {0};
    float embed[N * MOST_EMBED], de[N * MOST_EMBED];
    float *dy = need(arena_take(&a, N * d, sizeof *dy), "room"), *dx = need(arena_take(&a, rows * d, sizeof *dx), "room");
    double tolerance = DOUBLE ? 6e-8 : 1e-5;    /* the golden numbers are f64 that were rounded to f32 */
    struct vit_turned u;
    struct scratch count = {0};
    void *kept, *scratch;
    char what[96];

    if (vit_turn(&u, v, &c, &a, &e) < 0)
        need(NULL, e.msg);
    vit_keep_cut(v, N, mode, &count);
    kept = need(arena_take(&a, count.used, 1), "room");
    scratch = need(arena_take(&a, size_max(vit_scratch(v, &c, N), vit_back_scratch(v, &u, &c, N, mode)), 1), "room");
    for (size_t i = 0; i < N; i++)
        len[i] = v->tokens;
    for (size_t from = 0; from <= v->blocks.config.layers; from++) {
        struct scratch s = {kept, 0};
        struct vit_keep whole = vit_keep_cut(v, N, mode, &s);
        struct transformer_keep part = whole.blocks;
        struct transformer rest = v->blocks;
        struct transformer_run r = {.n = N, .len = len, .row = row, .y = whole.post, .keep = &part};
        const float *want;

        vit_run_keep(v, &c, N, g->images, embed, &whole, scratch);
        for (size_t i = 0; i < N; i++)
            cosine_back(g, embed + i * g->embed, de + i * g->embed);
        linear_run(&u.projection, &c, N, de, g->embed, dy, d, ACT_NONE, NULL, scratch);
        if (from == v->blocks.config.layers) {
            want = io(g, "f64r.grad.ln_post", &a);
            snprintf(what, sizeof what, "%s, %s: at the result of ln_post", g->name, k->name);
            close_to(dy, want, N * d, 0, tolerance, what);
            break;
        }
        layer_norm_back(&c, N, d, whole.post, v->ln_post.g, v->eps, dy, NULL, dy);
        rest.layer += from;
        rest.config.layers -= from;
        part.x += from * rows * d;
        part.state += part.again ? 0 : from;
        r.x = part.x;
        transformer_back(&rest, u.blocks + from, &c, &r, dy, dx, scratch);
        snprintf(what, sizeof what, from ? "f64r.grad.block%zu" : "f64r.grad.ln_pre", from - 1);
        want = io(g, what, &a);
        snprintf(what, sizeof what, "%s, %s: at the input of block %zu", g->name, k->name, from);
        close_to(dx, need((void *)(uintptr_t)want, what), rows * d, 0, tolerance, what);
        snprintf(what, sizeof what, "f64r.grad.block%zu.x_mid", from);
        want = io(g, what, &a);
        snprintf(what, sizeof what, "%s, %s: after the attention of block %zu", g->name, k->name, from);
        if (rest.config.layers == 1)    /* the class token's row alone */
            for (size_t i = 0; i < N; i++)
                close_to(part.state->mid + i * d, want + i * v->tokens * d, d, 0, tolerance, what);
        else
            close_to(part.state->mid, want, rows * d, 0, tolerance, what);
    }
}

/* Reads maps [N, C, Y, X] as [N, Y, X, C]. */
static void channels_last(size_t channels, size_t pixels, const float *x, float *y) {
    for (size_t i = 0; i < N; i++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < channels; c++)
                y[(i * pixels + p) * channels + c] = x[(i * channels + c) * pixels + p];
}

static void compare_maps(const struct golden *g, const struct kern *k, const struct resnet_gradient *b, const char *layer,
                         size_t channels, struct arena a) {
    size_t pixels = b->side * b->side;
    float *want = need(arena_take(&a, N * pixels * channels, sizeof *want), "room");
    char what[96];

    snprintf(what, sizeof what, "f64r.grad.%s", layer);
    channels_last(channels, pixels, need((void *)(uintptr_t)io(g, what, &a), what), want);
    snprintf(what, sizeof what, "%s, %s: at the result of %s", g->name, k->name, layer);
    /* avx2, BLIS and C are up to 2.4e-5 away, at the result of layer4.1 */
    close_to(b->x, want, N * pixels * channels, 0, DOUBLE ? 6e-8 : 4e-5, what);
}

/* The gradient at the result of each block and of the stem. */
static void blocks(const struct golden *g, const struct kern *k, struct arena a) {
    struct compute c = {k, NULL};
    struct err e = {0};
    const struct clip_vision *v = need(clip_bind_vision(&g->config, &g->ws, &c, &a, &e), e.msg);
    const struct resnet *r = &v->of.resnet;
    const size_t *count = g->config.vision.blocks;
    struct resnet_turned u;
    struct resnet_keep kept;
    struct resnet_gradient b;
    struct scratch s = {0};
    float embed[N * MOST_EMBED], de[N * MOST_EMBED];
    void *scratch;

    if (resnet_turn(&u, r, &c, &a, &e) < 0)
        need(NULL, e.msg);
    resnet_keep_cut(r, N, &s);
    s.base = need(arena_take(&a, s.used, 1), "room");
    s.used = 0;
    kept = resnet_keep_cut(r, N, &s);
    scratch = need(arena_take(&a, size_max(resnet_scratch(r, &c, N), resnet_back_scratch(r, &u, &c, N)), 1), "room");
    resnet_run_keep(r, &c, N, g->images, embed, &kept, scratch);
    for (size_t i = 0; i < N; i++)
        cosine_back(g, embed + i * g->embed, de + i * g->embed);
    b = resnet_back_pool(r, &u, &c, N, &kept, de, scratch);
    for (size_t stage = 4; stage > 0; stage--)
        for (size_t i = count[stage - 1]; i-- > 0;) {
            char layer[32];

            snprintf(layer, sizeof layer, "layer%zu.%zu", stage, i);
            compare_maps(g, k, &b, layer, 4 * r->block[b.block - 1].planes, a);
            resnet_back_block(&b);
        }
    compare_maps(g, k, &b, "stem", r->width, a);
}

/* A step along a direction changes the loss by what the gradient says. */
static void differences(const struct golden *g, struct arena a) {
    struct compute c = {&kern_c, NULL};
    float *dx = need(arena_take(&a, N * g->pixels, sizeof *dx), "room"), *x = need(arena_take(&a, N * g->pixels, sizeof *x), "room");
    float *none = need(arena_take(&a, N * g->pixels, sizeof *none), "room"), embed[N * MOST_EMBED];
    double h = DOUBLE ? 1e-7 : 0.01, slope = 0, top = 0, up, down;

    gradient(g, &c, KEEP_ALL, N, g->images, embed, dx, a);
    for (size_t i = 0; i < N * g->pixels; i++)
        top = fmax(top, fabs((double)dx[i]));
    for (int sign = 0; sign < 2; sign++) {
        for (size_t i = 0; i < N * g->pixels; i++) {
            double step = (double)dx[i] / top + (i % 3 ? 0.1 : -0.1);    /* about uphill */

            x[i] = (float)((double)g->images[i] + (sign ? -h : h) * step);
            slope += sign ? 0 : step * (double)dx[i];
        }
        *(sign ? &down : &up) = gradient(g, &c, KEEP_ALL, N, x, embed, none, a);
    }
    printf("# %s: slope %.12g, from differences %.12g\n", g->name, slope, (up - down) / (2 * h));
    ok(fabs(slope - (up - down) / (2 * h)) < (DOUBLE ? 1e-7 : 0.05) * fabs(slope), "%s: finite differences", g->name);
}

/* A gradient of a random tower hardly depends on the picture, so look at the difference: pictures that change places
 * change their gradients, and the batch and the threads change nothing. */
static void invariance(const struct golden *g, const struct kern *k, struct arena a) {
    enum { MANY = 5 };
    struct err e = {0};
    size_t size = g->pixels, embed = g->embed;
    float *in = need(arena_take(&a, MANY * size, sizeof *in), "room"), *one = need(arena_take(&a, MANY * size, sizeof *one), "room");
    float *all = need(arena_take(&a, MANY * size, sizeof *all), "room"), v[MANY * MOST_EMBED], w[MANY * MOST_EMBED];
    int bad = 0;

    for (size_t i = 0; i < MANY; i++)
        for (size_t j = 0; j < size; j++)
            in[i * size + j] = g->images[i % N * size + j] * (1 - (float)0.1 * (float)(i / N));
    for (int mode = KEEP_ALL; mode <= (g->config.vision.kind == VISION_RESNET ? KEEP_ALL : KEEP_INPUTS); mode++) {
        for (size_t i = 0; i < MANY; i++)
            gradient(g, &(struct compute){k, NULL}, (enum keep_mode)mode, 1, in + i * size, v + i * embed, one + i * size, a);
        for (int threads = 1; threads <= 3; threads += 2) {
            struct arena b = a;
            struct compute c = {k, need(pool_start(&b, threads, &e), e.msg)};

            gradient(g, &c, (enum keep_mode)mode, MANY, in, w, all, b);
            bad += memcmp(v, w, MANY * embed * sizeof *v) || memcmp(one, all, MANY * size * sizeof *one);
            pool_stop(c.pool);
        }
    }
    ok(!bad, "%s, %s: the same bytes for any batch and any number of threads", g->name, k->name);
    ok(cosine(one, one + size, size) < 0.9999, "%s, %s: another picture has another gradient", g->name, k->name);
}

/* Less and less room: a message or a gradient, nothing else. */
static void little_room(const struct golden *g, const struct kern *k, struct arena a) {
    struct compute c = {k, NULL};
    struct err none = {0};
    struct clip_vision *v = need(clip_bind_vision(&g->config, &g->ws, &c, &a, &none), none.msg);
    int bad = 0, fits = 0;

    for (size_t room = 256; room < (size_t)(DOUBLE ? 24 : 12) << 20; room += room / 24) {
        struct arena b = a;
        struct err e = {0};
        void *p;

        b.end = b.at + room;
        p = clip_grad_bind(v, &c, &b, &e);
        bad += !p == !e.msg[0] || (fits && !p);
        fits |= !!p;
    }
    ok(!bad && fits, "%s, %s: too little room is refused", g->name, k->name);
}

int main(void) {
    static const char *const names[] = {"vit", "micro", "rn"};
    static struct golden g[3];
    TAP_ARENA(a, 256);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool resnet;

        load(&g[i], names[i], &a);
        resnet = g[i].config.vision.kind == VISION_RESNET;
        for (size_t j = 0; kern_tried(j); j++) {
            const struct kern *k = kern_tried(j);

            if (DOUBLE && k->precision == PREC_BF16)
                continue;
            parity(&g[i], k, a);
            if (resnet && k->precision == PREC_BF16)
                continue;
            if (k->precision == PREC_F32 && !resnet) {
                layers(&g[i], k, KEEP_ALL, a);
                layers(&g[i], k, KEEP_INPUTS, a);
            }
            if (resnet)
                blocks(&g[i], k, a);
            invariance(&g[i], k, a);
            little_room(&g[i], k, a);
        }
        differences(&g[i], a);
    }
    free(a_mem.base);
    return done();
}
