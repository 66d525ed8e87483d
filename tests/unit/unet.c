/* threads */
/* The U-Net against golden forwards of diffusers' UNet2DConditionModel (decoder) and UNet2DModel (upsamplers),
 * torch 1.13 in f32 (tests/golden/karlo); picture.c's parts by themselves; and that nothing depends on the batch. */
#include "lib/net/unet.h"

#include "formats/checkpoint/unclip_config.h"
#include "formats/checkpoint/weights.h"
#include "formats/io/mapfile.h"
#include "lib/kernel/kern.h"
#include "tests/kernels.h"
#include "tests/tap.h"

#define GOLDEN "tests/golden/karlo/"

static const float *get(const struct weights *ws, struct arena *a, const char *name) {
    struct weight *w = weights_find(ws, name);

    return w ? tensor_all_f32(&w->t, a) : NULL;
}

static int load(struct weights *ws, const char *file, struct arena *a) {
    struct err e = {0};

    return ok(weights_open(ws, file, a, &e) == 0, "%s %s", file, e.msg);
}

/* The config of a component, as diffusers wrote it. */
static int config(struct unet_config *c, const char *file) {
    struct err e = {0};
    struct mapfile m;
    size_t sample;

    return ok(mapfile_open(&m, file, &e) == 0 && unclip_config_unet(c, &sample, m.p, m.n, &e) == 0, "%s %s", file, e.msg);
}

/* Rows of the context that are not masked: the others have weight 0 in the reference. */
static size_t unmasked(const float *context, const float *mask, size_t len, size_t d, float *out) {
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        if (mask[i] != 0)
            memcpy(out + n++ * d, context + i * d, d * sizeof *out);
    return n;
}

static void decode(const struct compute *k, struct arena a, const char *what) {
    enum { N = 2, S = 16, P = S * S };
    struct weights w, io;
    struct unet_config cfg;
    struct err e = {0};
    struct unet *u;
    struct unet_context ctx[N];
    const struct unet_context *const both[N] = {&ctx[0], &ctx[1]};
    const float *x, *c, *mask, *cls, *want, *t;
    float *in = arena_take(&a, N * 3 * P, 4), *out = arena_take(&a, N * 6 * P, 4), *got = arena_take(&a, N * 6 * P, 4);
    float *rows = arena_take(&a, 81 * 48, 4), *one = arena_take(&a, 6 * P, 4);

    if (!load(&w, GOLDEN "decoder/diffusion_pytorch_model.safetensors", &a) || !load(&io, GOLDEN "io/decoder.safetensors", &a) ||
        !config(&cfg, GOLDEN "decoder/config.json"))
        return;
    u = unet_bind(&cfg, &w, k, &a, &e);
    if (!ok(u != NULL, "%s: the decoder binds %s", what, e.msg))
        return;
    x = get(&io, &a, "sample"), c = get(&io, &a, "encoder_hidden_states"), mask = get(&io, &a, "attention_mask");
    cls = get(&io, &a, "class_labels"), want = get(&io, &a, "out"), t = get(&io, &a, "timestep");
    for (int i = 0; i < N; i++) {
        size_t n = unmasked(c + i * 81 * 48, mask + i * 81, 81, 48, rows);
        ok(unet_context(u, k, rows, n, &ctx[i], &a, &e) == 0, "context of %zu rows", n);
    }
    feature_map_channels_last(x, N, 3, P, in);
    ok(unet_run(u, k, N, S, S, in, (int)*t, cls, both, out, a, &e) == 0, "it runs %s", e.msg);
    feature_map_channels_first(out, N, 6, P, got);
    close_to(got, want, (size_t)N * 6 * P, 0, 3.6e-6, what);    /* observed 9.3e-7 */
    for (int i = 0; i < N; i++) {
        ok(unet_run(u, k, 1, S, S, in + i * 3 * P, (int)*t, cls + i * 32, &both[i], one, a, &e) == 0 &&
           !memcmp(one, out + i * 6 * P, 6 * P * sizeof *one), "alone it gives the same bytes");
    }
    ok(unet_run(u, k, 1, 12, 16, in, 0, cls, both, out, a, &e) < 0, "a side that does not divide is refused: %s", e.msg);
    e.msg[0] = 0;
    a.end = a.at + 100000;
    ok(unet_run(u, k, 1, S, S, in, 0, cls, both, out, a, &e) < 0, "too little scratch: %s", e.msg);
}

static void upsample(const struct compute *k, struct arena a, const char *what) {
    enum { S = 32, P = S * S };
    struct weights w, io;
    struct unet_config cfg;
    struct err e = {0};
    struct unet *u;
    const float *x, *want, *t;
    float *in = arena_take(&a, 6 * P, 4), *out = arena_take(&a, 3 * P, 4), *got = arena_take(&a, 3 * P, 4);

    if (!load(&w, GOLDEN "super_res_first/diffusion_pytorch_model.safetensors", &a) ||
        !load(&io, GOLDEN "io/super_res_first.safetensors", &a) || !config(&cfg, GOLDEN "super_res_first/config.json"))
        return;
    u = unet_bind(&cfg, &w, k, &a, &e);
    if (!ok(u != NULL, "%s: the upsampler binds %s", what, e.msg))
        return;
    x = get(&io, &a, "sample"), want = get(&io, &a, "out"), t = get(&io, &a, "timestep");
    feature_map_channels_last(x, 1, 6, P, in);
    ok(unet_run(u, k, 1, S, S, in, (int)*t, NULL, NULL, out, a, &e) == 0, "it runs %s", e.msg);
    feature_map_channels_first(out, 1, 3, P, got);
    close_to(got, want, 3 * P, 0, 3.4e-6, what);    /* observed 8.8e-7 */
}

/* A few rows at a time, two pictures, and a shape that is not a square: the same bytes. */
static void bands(const struct compute *k, struct arena a, const char *file) {
    enum { N = 2, Y = 24, X = 16, P = N * Y * X };
    struct weights w;
    struct unet_config cfg;
    struct err e = {0};
    float *in = arena_take(&a, P * 6, 4), *out = arena_take(&a, P * 6, 4), *got = arena_take(&a, P * 6, 4);
    float cls[N * 32];
    char name[128];

    snprintf(name, sizeof name, GOLDEN "%s/config.json", file);
    if (!config(&cfg, name))
        return;
    snprintf(name, sizeof name, GOLDEN "%s/diffusion_pytorch_model.safetensors", file);
    for (int i = 0; i < P * 6; i++)
        in[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < N * 32; i++)
        cls[i] = (float)i / 64;
    for (size_t band = 0; band < 4000; band = band ? 3 * band + 1 : 1) {
        struct arena b = a;
        struct unet *u;

        cfg.band = band;
        if (!load(&w, name, &b))
            return;
        u = unet_bind(&cfg, &w, k, &b, &e);
        memset(got, 0xff, P * cfg.out * sizeof *got);
        ok(u && unet_run(u, k, N, Y, X, in, 7, cls, NULL, band ? got : out, b, &e) == 0, "%s, %s %s", file, k->kern->name, e.msg);
        if (band)
            ok(!memcmp(got, out, P * cfg.out * sizeof *got), "bands of %zu floats give the same bytes", band);
    }
}

static void parts(const struct compute *k, struct arena a) {
    struct weights io;
    const float *in;
    float *flat = arena_take(&a, 3 * 64 * 64, 4), *big = arena_take(&a, 3 * 64 * 64, 4), *back = arena_take(&a, 3 * 64 * 64, 4);

    if (!load(&io, GOLDEN "io/misc.safetensors", &a))
        return;
    in = get(&io, &a, "bicubic_in");
    feature_map_channels_last(in, 1, 3, 256, flat);
    ok(feature_map_bicubic(flat, 1, 16, 16, 3, 64, 64, big, a) == 0, "bicubic");
    feature_map_channels_first(big, 1, 3, 4096, back);
    close_to(back, get(&io, &a, "bicubic_x4"), 3 * 4096, 2e-6, 0, "bicubic, four times");
    feature_map_bicubic(flat, 1, 16, 16, 3, 32, 32, big, a);
    feature_map_channels_first(big, 1, 3, 1024, back);
    close_to(back, get(&io, &a, "bicubic_x2"), 3 * 1024, 2e-6, 0, "bicubic, twice");
    {   /* a group that straddles the seam: [2 + 4 channels] in 3 groups, against one picture of 6 */
        float xa[2 * 6], xb[4 * 6], xx[6 * 6], g[6] = {1, 2, 3, 4, 5, 6}, b[6] = {0}, mul[6], add[6], mul2[6], add2[6], sums[64];
        struct feature_map two = {{xa, xb}, {2, 4}, 1, 2, 3}, one = {{xx, NULL}, {6, 0}, 1, 2, 3};
        struct feature_map_norm n = {.g = g, .b = b, .groups = 2, .eps = 1e-5f};
        for (int i = 0; i < 36; i++) {
            float v = (float)((i * 7) % 11) - 4;
            xx[i] = v;
            if (i % 6 < 2)
                xa[i / 6 * 2 + i % 6] = v;
            else
                xb[i / 6 * 4 + i % 6 - 2] = v;
        }
        ok(feature_map_norm_scratch(&two) <= sizeof sums, "scratch");
        feature_map_norm(&two, &n, k, mul, add, sums);
        feature_map_norm(&one, &n, k, mul2, add2, sums);
        ok(!memcmp(mul, mul2, sizeof mul) && !memcmp(add, add2, sizeof add), "groups may straddle the seam");
        feature_map_apply(&two, mul, add, ACT_NONE, RESAMPLE_NONE, k, flat);
        feature_map_apply(&one, mul, add, ACT_NONE, RESAMPLE_NONE, k, big);
        ok(!memcmp(flat, big, sizeof xx), "and the pair reads as one picture");
    }
}

int main(void) {
    TAP_ARENA(a, 256);
    struct err e = {0};
    struct compute k = {.kern = &kern_c, .pool = pool_start(&a, 2, &e)};
    const struct kern *list;

    parts(&k, a);
    for (size_t i = 0; (list = kern_tried(i)); i++) {
        char what[64];
        k.kern = list;
        bands(&k, a, "decoder");
        bands(&k, a, "super_res_first");
        if (list->precision != PREC_F32)
            continue;
        snprintf(what, sizeof what, "decoder, %s", list->name);
        decode(&k, a, what);
        snprintf(what, sizeof what, "upsampler, %s", list->name);
        upsample(&k, a, what);
    }
    pool_stop(k.pool);
    free(a_mem.base);
    return done();
}
