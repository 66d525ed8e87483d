/* GLIDE's networks and samplers against openai/glide-text2im (tests/golden/glide, PyTorch 2.13, f32): forwards of the four
 * tiny networks, runs of 5 and 27 steps, and whole runs from torch.manual_seed.  The weights are made by glide_weights.h.
 *
 *     UNCLIP_GLIDE=DIR build/unit/glide    # also compares recorded networks with heads of 16 in DIR
 */
#define _DEFAULT_SOURCE
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/cpu.h"
#include "lib/diffusion/sampler.h"
#include "lib/diffusion/spacing.h"
#include "lib/kernel/kern.h"
#include "lib/net/glide_names.h"
#include "lib/net/glide_text.h"
#include "tests/glide_weights.h"
#include "tests/golden_file.h"
#include "tests/tap.h"
#include "tools/stage/sample.h"

#define GOLD "tests/golden/glide/"

static const char *const names[] = {"base", "base_inpaint", "upsample", "upsample_inpaint"};
static char dir[] = "/tmp/glide.XXXXXX";

/* One of the networks, and its recorded inputs and outputs. */
struct net {
    struct weights io;
    enum glide_file kind;
    struct unet *unet;
    struct glide_text text;
    struct sched sched;
    size_t side, rows;
    struct unet_context context[2];
    float *time[2];
};

static const float *get(const struct net *n, const char *name, struct arena *a) {
    return tensor_all_f32(golden_tensor(&n->io, name), a);
}

static bool has(const struct net *n, const char *name) {
    return weights_find(&n->io, name) != NULL;
}

static bool upsamples(const struct net *n) {
    return n->kind >= GLIDE_UPSAMPLE;
}

/* What the tensors do not tell: the channels of a head of the text transformer and of the U-Net, and the groups. */
struct untold {
    size_t text_head, head, groups;
};

static const struct untold openai = {64, 64, 32};

static bool open_net(struct net *n, const char *weights, const char *io, const struct untold *o, const struct compute *k, struct arena *a) {
    struct weights all = golden_open(weights, a), text, unet;
    struct sched_config s = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, true};
    struct glide_text_config tc;
    struct unet_config uc;
    struct err e = {0};

    n->io = golden_open(io, a);
    n->kind = glide_file(&all);
    n->side = golden_tensor(&n->io, "x")->shape[3];
    s.betas = upsamples(n) ? BETAS_LINEAR : BETAS_COSINE;
    if (!ok(n->kind && glide_divide(&all, &text, &unet, a, &e) == 0 && glide_text_config_from_weights(&tc, &text, &e) == 0 &&
            unet_config_from_weights(&uc, &unet, "", &e) == 0 && sched_init(&n->sched, &s, a, &e) == 0, "%s is file %d %s",
            weights, n->kind, e.msg))
        return false;
    tc.head = o->text_head, uc.head = uc.mid_head = o->head, uc.groups = o->groups;
    n->unet = unet_bind(&uc, &unet, k, a, &e);
    return ok(n->unet && glide_text_bind(&n->text, &tc, &text, k, a, &e) == 0,
              "it binds: %zu levels of %zu, %zu in, text %zu x %zu layers %s", uc.levels, uc.layers, uc.in, tc.width, tc.layers, e.msg);
}

/* Computes each row's text, and compares it. */
static void run_text(struct net *n, const struct compute *k, struct arena *a, const char *what) {
    const size_t l = n->text.config.places, d = n->text.config.width, wide = n->text.config.time;
    const float *tokens = get(n, "tokens", a), *mask = get(n, "mask", a), *want = get(n, "xf_out", a), *proj = get(n, "xf_proj", a);
    bool turned = golden_tensor(&n->io, "xf_out")->shape[1] == d && d != l;    /* [N, D, L] */
    float worst = 0, most = 0;
    struct err e = {0};

    for (size_t i = 0; i < 2; i++) {
        float *context = golden_room(a, l * d, 4);
        int ids[256];
        size_t count = 0;

        n->time[i] = golden_room(a, wide, 4);
        for (size_t j = 0; j < l; j++)
            if (mask[i * l + j] != 0)
                ids[count++] = (int)tokens[i * l + j];
        ok(glide_text_run(&n->text, k, ids, count, context, n->time[i], *a, &e) == 0 &&
           unet_context(n->unet, k, context, l, &n->context[i], a, &e) == 0, "a text of %zu tokens %s", count, e.msg);
        for (size_t j = 0; j < l; j++)
            for (size_t c = 0; c < d; c++) {
                float v = want[i * l * d + (turned ? c * l + j : j * d + c)];
                worst = fmaxf(worst, fabsf(context[j * d + c] - v));
                most = fmaxf(most, fabsf(v));
            }
        close_to(n->time[i], proj + i * wide, wide, 0, 4e-6, what);    /* observed 9e-7 */
    }
    ok(worst <= 4e-6f * most, "%s, context: off by %g, largest %g", what, (double)worst, (double)most);
}

/* The input of row i, channels last: x, then the known part, then the enlarged small picture. */
static void put_input(struct net *n, size_t i, float *in, struct arena a) {
    const size_t c = unet_config(n->unet)->in, p = n->side * n->side, s = n->side / 4;
    const float *x = get(n, "x", &a) + i * 3 * p;

    for (size_t j = 0; j < p; j++)
        for (size_t k = 0; k < 3; k++)
            in[j * c + k] = x[k * p + j];
    if (has(n, "inpaint_mask")) {
        struct inpaint known = {get(n, "inpaint_image", &a) + i * 3 * p, get(n, "inpaint_mask", &a) + i * p};
        inpaint_channels(&known, p, in, c, 3);
    }
    if (has(n, "low_res")) {
        float *flat = golden_room(&a, 3 * s * s, 4), *big = golden_room(&a, 3 * p, 4);

        feature_map_channels_last(get(n, "low_res", &a) + i * 3 * s * s, 1, 3, s * s, flat);
        feature_map_bilinear(flat, 1, s, s, 3, n->side, n->side, big, a);
        for (size_t j = 0; j < 3 * p; j++)
            in[j / 3 * c + c - 3 + j % 3] = big[j];
    }
}

static void run_unet(struct net *n, const struct compute *k, struct arena a, double bound, const char *what) {
    const size_t c = unet_config(n->unet)->in, p = n->side * n->side;
    const float *want = get(n, "out", &a), *t = get(n, "timesteps", &a);
    float *in = golden_room(&a, c * p, 4), *out = golden_room(&a, 6 * p, 4), *got = golden_room(&a, 12 * p, 4);
    struct err e = {0};

    for (size_t i = 0; i < 2; i++) {
        const struct unet_context *context = &n->context[i];

        put_input(n, i, in, a);
        ok(unet_run(n->unet, k, 1, n->side, n->side, in, (int)t[i], n->time[i], &context, out, a, &e) == 0, "row %zu runs %s", i, e.msg);
        feature_map_channels_first(out, 1, 6, p, got + i * 6 * p);
    }
    close_to(got, want, 12 * p, 0, bound, what);
}

/* Recorded noise, one entry a step; `skip` values of each entry belong to other rows. */
struct recorded {
    const float *at;
    size_t skip;
};

static void draw(void *ctx, unsigned step, size_t n, size_t each, float *out) {
    struct recorded *r = ctx;

    (void)step;
    if (!r->at) {
        memset(out, 0, n * each * sizeof *out);
        return;
    }
    memcpy(out, r->at, n * each * sizeof *out);
    r->at += n * each + r->skip;
}

static void run_base(struct net *n, const struct compute *k, const char *spec, bool ddim, double eta, const char *init, const float *noise,
                     size_t skip, const float *want, const struct inpaint *known, double bound, struct arena a, const char *what) {
    const size_t one = 3 * n->side * n->side;
    int t[1000];
    struct decoder_branch b[2] = {{n->time[0], &n->context[0]}, {n->time[1], &n->context[1]}};
    struct recorded r = {noise, skip};
    struct decoder_job j = {.unet = n->unet, .sched = &n->sched, .side = n->side, .n = 1, .timesteps = t, .ddim = ddim, .eta = eta,
                            .guidance = known ? 1 : 3, .cond = &b[0], .uncond = &b[1], .noise = {draw, &r},
                            .init = get(n, init, &a), .clip = true, .inpaint = known};
    float *out = golden_room(&a, one, 4);
    struct err e = {0};

    ok(spacing_timesteps(spec, 1000, t, &j.steps, &e) == 0 && sample_decoder(&j, k, out, NULL, a, &e) == 0, "%s: %zu steps %s", what,
       j.steps, e.msg);
    close_to(out, want, one, bound, 0, what);
}

static void run_upsample(struct net *n, const struct compute *k, const char *spec, bool ddim, const float *noise, const float *want,
                         const float *low, const struct inpaint *known, double bound, struct arena a, const char *what) {
    const size_t one = 3 * n->side * n->side;
    int t[1000];
    struct decoder_branch b = {n->time[0], &n->context[0]};
    struct recorded r = {noise, 0};
    const char *init = has(n, "init") ? "init" : "fast27.init";
    struct upsample_job j = {.first = n->unet, .last = n->unet, .sched = &n->sched, .n = 1, .in = n->side / 4, .out = n->side,
                             .timesteps = t, .ddim = ddim, .noise = {draw, &r}, .init = get(n, init, &a), .text = &b,
                             .enlarge = ENLARGE_ROUNDED_BILINEAR, .inpaint = known};
    float *out = golden_room(&a, one, 4);
    struct err e = {0};

    ok(spacing_timesteps(spec, 1000, t, &j.steps, &e) == 0 && sample_upsampler(&j, k, low, out, NULL, a, &e) == 0, "%s: %zu steps %s",
       what, j.steps, e.msg);
    close_to(out, want, one, bound, 0, what);
}

static void runs(struct net *n, const struct compute *k, struct arena a) {
    const struct inpaint known = {has(n, "inpaint_image") ? get(n, "inpaint_image", &a) : NULL,
                                  has(n, "inpaint_mask") ? get(n, "inpaint_mask", &a) : NULL};

    switch (n->kind) {
    case GLIDE_BASE:
        run_base(n, k, "5", false, 0, "init", get(n, "p5.noise", &a), 0, get(n, "p5.sample", &a), NULL, 4e-5, a, "5 steps, guidance 3");
        run_base(n, k, "ddim5", true, 0, "init", NULL, 0, get(n, "ddim5.sample", &a), NULL, 4e-5, a, "DDIM");
        run_base(n, k, "5", true, 0.7, "init", get(n, "eta5.noise", &a), 0, get(n, "eta5.sample", &a), NULL, 4e-5, a, "DDIM, eta 0.7");
        break;
    case GLIDE_BASE_INPAINT:
        run_base(n, k, "5", false, 0, "init", get(n, "p5.noise", &a), 0, get(n, "p5.sample", &a), &known, 4e-5, a, "inpainting");
        break;
    case GLIDE_UPSAMPLE:
        run_upsample(n, k, "fast27", true, NULL, get(n, "fast27.sample", &a), get(n, "low_res", &a), NULL, 6e-4, a, "fast27, DDIM");    /* observed 1.6e-4, after 27 steps */
        break;
    default:
        run_upsample(n, k, "5", false, get(n, "p5.noise", &a), get(n, "p5.sample", &a), get(n, "low_res", &a), &known, 4e-5, a,
                     "upsampling and inpainting");
    }
}

/* ---- whole runs ---- */

static void draw_torch(void *ctx, unsigned step, size_t n, size_t each, float *out) {
    noise_torch_rows(ctx, step, n, each, out);
}

/* Two samples of one text, as the notebook text2im makes them after torch.manual_seed(7): the base network draws noise for
 * four rows, the upsampler for two. */
static void seeded(struct net *base, struct net *up, const struct compute *k, struct arena a, const char *what) {
    enum { B = 2, SMALL = 16, BIG = 64, ONE = 3 * SMALL * SMALL, LARGE = 3 * BIG * BIG };
    const struct decoder_branch b[2] = {{base->time[0], &base->context[0]}, {base->time[1], &base->context[1]}}, both[B] = {b[0], b[0]};
    const struct decoder_branch text = {up->time[0], &up->context[0]};
    struct torch_rows rows = {.n = B, .rows = B, .times = 2};
    int t[1000], off[2] = {0, 0};
    struct decoder_job j = {.unet = base->unet, .sched = &base->sched, .side = SMALL, .n = B, .timesteps = t, .guidance = 3,
                            .cond = both, .uncond = &b[1], .noise = {draw_torch, &rows}, .clip = true};
    struct upsample_job u = {.first = up->unet, .last = up->unet, .sched = &up->sched, .n = B, .in = SMALL, .out = BIG, .timesteps = t,
                             .ddim = true, .noise = {draw_torch, &rows}, .temperature = 0.997f, .text = &text,
                             .enlarge = ENLARGE_ROUNDED_BILINEAR};
    const bool near = !strcmp(k->kern->name, "avx2") || !strcmp(k->kern->name, "c");    /* the others add in another order */
    struct weights io = golden_open(GOLD "seeded.safetensors", &a);
    float *small = golden_room(&a, B * ONE, 4), *big = golden_room(&a, B * LARGE, 4), *flat = golden_room(&a, B * LARGE, 4);
    const float *want = tensor_all_f32(golden_tensor(&io, "big_u8"), &a);
    struct err e = {0};

    torch_rng_seed(&rows.g, 7);
    ok(spacing_timesteps("5", 1000, t, &j.steps, &e) == 0 && sample_decoder(&j, k, small, NULL, a, &e) == 0, "%s: seeded %s", what, e.msg);
    /* 3.7e-5 with AVX2's kernels, 1.6e-3 with BLIS's: five steps with guidance of random weights magnify the last bit */
    close_to(small, tensor_all_f32(golden_tensor(&io, "small"), &a), B * ONE, near ? 5e-4 : 6e-3, 0, what);
    rows.times = 1;
    ok(spacing_timesteps("fast27", 1000, t, &u.steps, &e) == 0 && sample_upsampler(&u, k, small, big, NULL, a, &e) == 0, "and enlarged %s",
       e.msg);
    ok(rows.g.used == (uint64_t)6 * 2 * B * ONE + (uint64_t)28 * B * LARGE, "%llu numbers drawn", (unsigned long long)rows.g.used);
    feature_map_channels_last(big, B, 3, BIG * BIG, flat);
    for (size_t i = 0; i < B * LARGE; i++) {
        float v = nearbyintf((flat[i] + 1) * 127.5f), d = fabsf((v < 0 ? 0 : v > 255 ? 255 : v) - want[i]);

        off[0] += d > 0, off[1] += d > 1;
    }
    /* 28 steps of random weights magnify the last bit of each kernel: AVX2's leave 1 byte off by 1, BLIS's 63 and 22 by
     * more.  Another draw would change nearly all of them. */
    ok(off[0] <= (near ? 40 : 170) && off[1] <= (near ? 10 : 44), "%s: of %d bytes %d differ by 1, %d by more", what, B * LARGE, off[0] - off[1], off[1]);
}

static void write_all(const char *dtype) {
    dtype_opt = dtype;
    for (size_t i = 0; i < 4; i++)
        glide_write(dir, &glide_networks[i], &glide_tiny[glide_networks[i].upsampler], 0);
}

static const char *path_of(const char *name, bool io) {
    static char path[2][200];

    snprintf(path[io], sizeof path[io], io ? GOLD "io_%s.safetensors" : "%s/%s.safetensors", io ? name : dir, name);
    return path[io];
}

static void spacings(void) {
    static const struct {
        const char *spec;
        size_t n;
        long sum;    /* of (i + 1) t_i, as space_timesteps gives it in ascending order */
    } good[] = {{"100", 100, 3363345}, {"fast27", 27, 170821}, {"ddim50", 50, 833000}, {"10,10,5", 25, 189375}, {"7", 7, 18646},
                {"1", 1, 0}, {"ddim25", 25, 208000}, {"250,100,1", 351, 22504175}};
    static const char *const bad[] = {"", "x", "0", "1001", "10,", ",10", "10,,10", "ddim", "ddim37", "ddim0", "ddim1001", "ddim10x", "600,1",
                                      "fast28", "99999999999999999999", "10 10"};
    int t[1000];
    size_t n;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err e = {0};
        long sum = 0;
        int r = spacing_timesteps(good[i].spec, 1000, t, &n, &e);

        for (size_t k = 0; r == 0 && k < n; k++)
            sum += (long)(n - k) * t[k];
        ok(r == 0 && n == good[i].n && sum == good[i].sum, "%s: %zu steps, from %d to %d %s", good[i].spec, n, t[0], t[n - 1], e.msg);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};

        ok(spacing_timesteps(bad[i], 1000, t, &n, &e) == -1 && e.msg[0], "refused: %s", e.msg);
    }
}

/* `whole`: all four networks and the samplers, otherwise two networks. */
static void compare(const struct compute *k, struct arena a, const char *kernel, bool whole) {
    struct net net[4];
    char what[64];

    memset(net, 0, sizeof net);
    for (size_t m = 0; m < 4; m += whole ? 1 : 3) {
        snprintf(what, sizeof what, "%s, %s", names[m], kernel);
        if (!open_net(&net[m], path_of(names[m], false), path_of(names[m], true), &openai, k, &a))
            return;
        run_text(&net[m], k, &a, what);
        run_unet(&net[m], k, a, 8e-6, what);    /* observed 2.8e-6 */
        if (whole)
            runs(&net[m], k, a);
    }
    if (whole)
        seeded(&net[0], &net[2], k, a, kernel);
}

/* The GLIDE in the box (tests/golden/emoji/glide.safetensors). */
static void in_the_box(const struct compute *k, struct arena a, const char *kernel) {
    const struct untold o = {64, 32, 16};
    struct net n = {0};

    if (!open_net(&n, "examples/emoji/glide/base_inpaint.safetensors", "tests/golden/emoji/glide.safetensors", &o, k, &a))
        return;
    run_text(&n, k, &a, kernel);
    run_unet(&n, k, a, 3e-6, kernel);    /* 6.6e-7 was seen */
}

/* f16 throughout, and f16 where OpenAI's convert_to_fp16 has it: the same network, except for the rounding of its numbers. */
static void halves(const struct compute *k, struct arena a) {
    static const char *const types[] = {"f16", "mix"};

    for (size_t i = 0; i < 2; i++) {
        struct arena b = a;
        struct net n = {0};

        write_all(types[i]);
        if (!open_net(&n, path_of("base", false), path_of("base", true), &openai, k, &b))
            continue;
        for (size_t r = 0; r < 2; r++) {
            const float *tokens = get(&n, "tokens", &b), *mask = get(&n, "mask", &b);
            float *context = golden_room(&b, 16 * 128, 4);
            int ids[16];
            size_t count = 0;
            struct err e = {0};

            n.time[r] = golden_room(&b, n.text.config.time, 4);
            for (size_t j = 0; j < 16; j++)
                if (mask[r * 16 + j] != 0)
                    ids[count++] = (int)tokens[r * 16 + j];
            ok(glide_text_run(&n.text, k, ids, count, context, n.time[r], b, &e) == 0 &&
               unet_context(n.unet, k, context, 16, &n.context[r], &b, &e) == 0, "%s: a text %s", types[i], e.msg);
        }
        run_unet(&n, k, b, 4e-3, types[i]);
    }
}

static void refuse(const struct weights *ws, const char *why, const struct compute *k, struct arena a) {
    struct weights text, unet;
    struct glide_text_config tc;
    struct unet_config uc;
    struct glide_text t;
    struct err e = {0};
    int r = glide_divide(ws, &text, &unet, &a, &e) < 0 || glide_text_config_from_weights(&tc, &text, &e) < 0 ||
            glide_text_bind(&t, &tc, &text, k, &a, &e) < 0 || unet_config_from_weights(&uc, &unet, "", &e) < 0 ||
            !unet_bind(&uc, &unet, k, &a, &e);

    ok(r && strstr(e.msg, why), "refused: %s", e.msg);
}

/* Each kind of tensor left out, in turn, and shapes that do not fit: refused by name. */
static void damaged(const struct compute *k, struct arena a) {
    static const char *const out[] = {
        "token_embedding.weight", "positional_embedding", "padding_embedding", "final_ln.bias", "transformer_proj.bias",
        "transformer.resblocks.0.attn.c_qkv.weight", "transformer.resblocks.1.mlp.c_proj.bias", "time_embed.2.bias",
        "input_blocks.3.1.qkv.weight", "input_blocks.3.1.encoder_kv.bias", "middle_block.1.norm.weight", "out.2.weight",
        "output_blocks.1.2.in_layers.0.weight", "input_blocks.1.0.emb_layers.1.weight"};
    struct weights all;

    write_all("f32");
    all = golden_open(path_of("base", false), &a);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        struct weights some = {.w = golden_room(&a, all.n, sizeof *some.w)};

        for (size_t w = 0; w < all.n; w++)
            if (strcmp(all.w[w].name, out[i]) != 0)
                some.w[some.n++] = all.w[w];
        ok(some.n + 1 == all.n, "without %s", out[i]);
        refuse(&some, out[i], k, a);
    }
    weights_find(&all, "transformer_proj.weight")->t.shape[1] = 64;
    refuse(&all, "transformer_proj.weight", k, a);
    weights_find(&all, "transformer_proj.weight")->t.shape[1] = 128;
    weights_find(&all, "token_embedding.weight")->t.shape[1] = 96;
    refuse(&all, "96 channels do not fit heads of 64", k, a);
    weights_find(&all, "token_embedding.weight")->t.shape[1] = 128;
    {
        struct net n = {0};
        struct err e = {0};
        float context[16 * 128], time[256];
        const int ids[] = {1, 320}, below[] = {-1};

        if (!open_net(&n, path_of("base", false), path_of("base", true), &openai, k, &a))
            return;
        ok(glide_text_run(&n.text, k, ids, 2, context, time, a, &e) < 0 && !strcmp(e.msg, "token 320, the text transformer has 320"),
           "refused: %s", e.msg);
        e.msg[0] = 0;
        ok(glide_text_run(&n.text, k, below, 1, context, time, a, &e) < 0, "refused: %s", e.msg);
    }
}

/* Networks of another size that were recorded in the same way, with heads of 16. */
static void recorded_elsewhere(const char *where, const struct compute *k, struct arena a) {
    for (size_t m = 0; m < 4; m++) {
        char w[300], io[300];
        struct arena b = a;
        struct net n = {0};

        snprintf(w, sizeof w, "%s/%s.safetensors", where, names[m]);
        snprintf(io, sizeof io, "%s/io_%s.safetensors", where, names[m]);
        if (!open_net(&n, w, io, &(struct untold){16, 16, 32}, k, &b))
            continue;
        run_text(&n, k, &b, w);
        run_unet(&n, k, b, 8e-6, w);
        if (n.kind == GLIDE_BASE) {
            size_t one = 3 * n.side * n.side;
            run_base(&n, k, "5", false, 0, "p5cfg3.init", get(&n, "p5cfg3.noise", &b), one,
                     get(&n, "p5cfg3.samples", &b) + 4 * 2 * one, NULL, 1e-4, b, "p5cfg3");
        }
    }
}

int main(void) {
    TAP_ARENA(a, 512);
    struct err e = {0};
    struct compute k = {.kern = &kern_c, .pool = pool_start(&a, 2, &e)};
    const struct kern *list, *best = NULL;

    spacings();
    ok(mkdtemp(dir) != NULL, "%s", dir);
    write_all("f32");
    for (size_t i = 0; (list = kern_list(i, cpu_flags())); i++) {
        if (list->precision != PREC_F32)
            continue;
        best = best ? best : list;
        k.kern = list;
        compare(&k, a, list->name, list == best);
        in_the_box(&k, a, list->name);
    }
    k.kern = best;
    halves(&k, a);
    damaged(&k, a);
    if (getenv("UNCLIP_GLIDE"))
        recorded_elsewhere(getenv("UNCLIP_GLIDE"), &k, a);
    for (size_t m = 0; m < 4; m++)
        unlink(path_of(names[m], false));
    rmdir(dir);
    pool_stop(k.pool);
    free(a_mem.base);
    return done();
}
