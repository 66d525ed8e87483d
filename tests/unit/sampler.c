/* threads */
/* The whole recorded pipeline of diffusers (tests/golden/karlo/io/pipeline.safetensors: UnCLIPPipeline's parts under
 * torch 1.13, f32, 4 + 4 + 4 steps, guidance 4 and 8, noise recorded), and inversion and inpainting on its networks. */
#include "lib/diffusion/sampler.h"

#include "formats/checkpoint/unclip_config.h"
#include "formats/checkpoint/weights.h"
#include "formats/io/mapfile.h"
#include "lib/diffusion/noise.h"
#include "lib/kernel/kern.h"
#include "lib/net/text_proj.h"
#include "tests/kernels.h"
#include "tests/tap.h"

#define GOLDEN "tests/golden/karlo/"
#define WEIGHTS "/diffusion_pytorch_model.safetensors"

enum { E = 32, SMALL = 16, BIG = 32, STEPS = 4 };

static struct weights io;

static const float *get(struct arena *a, const char *name) {
    struct weight *w = weights_find(&io, name);

    return w ? tensor_all_f32(&w->t, a) : NULL;
}

static int open_json(struct mapfile *m, const char *file) {
    struct err e = {0};

    return ok(mapfile_open(m, file, &e) == 0, "%s %s", file, e.msg);
}

static int open_weights(struct weights *w, const char *file, struct arena *a) {
    struct err e = {0};

    return ok(weights_open(w, file, a, &e) == 0, "%s %s", file, e.msg);
}

static int open_unet(struct unet **u, const char *config, const char *file, const struct compute *k, struct arena *a) {
    struct unet_config c;
    struct weights w;
    struct mapfile m;
    struct err e = {0};
    size_t side;

    if (!open_json(&m, config) || !open_weights(&w, file, a))
        return 0;
    *u = unclip_config_unet(&c, &side, m.p, m.n, &e) < 0 ? NULL : unet_bind(&c, &w, k, a, &e);
    return ok(*u != NULL, "%s %s", config, e.msg);
}

static int open_sched(struct sched *s, const char *file, struct arena *a) {
    struct sched_config c;
    struct mapfile m;
    struct err e = {0};

    return open_json(&m, file) &&
           ok(unclip_config_scheduler(&c, m.p, m.n, &e) == 0 && sched_init(s, &c, a, &e) == 0, "%s %s", file, e.msg);
}

/* The recorded noise [draws][n * each], in order. */
static void recorded(void *ctx, unsigned step, size_t n, size_t each, float *out) {
    const float **at = ctx;

    (void)step;
    memcpy(out, *at, n * each * sizeof *out);
    *at += n * each;
}

struct pipe {
    struct prior *prior;
    struct text_proj proj;
    struct unet *decoder, *first, *last;
    struct sched sp, sd, su;
    float *states[2];
    const float *embed[2];
    size_t tokens[2];
};

static int open_pipe(struct pipe *p, const struct compute *k, struct arena *a) {
    struct weights w, t;
    struct mapfile m;
    struct prior_config pc;
    struct text_proj_config tc;
    struct err e = {0};
    const float *mask, *states;

    if (!open_json(&m, GOLDEN "prior/config.json") || !open_weights(&w, GOLDEN "prior" WEIGHTS, a) ||
        !open_weights(&t, GOLDEN "text_proj" WEIGHTS, a) ||
        !open_unet(&p->decoder, GOLDEN "decoder/config.json", GOLDEN "decoder" WEIGHTS, k, a) ||
        !open_unet(&p->first, GOLDEN "super_res_first/config.json", GOLDEN "super_res_first" WEIGHTS, k, a) ||
        !open_unet(&p->last, GOLDEN "super_res_last/config.json", GOLDEN "super_res_last" WEIGHTS, k, a) ||
        !open_sched(&p->sp, GOLDEN "prior_scheduler/scheduler_config.json", a) ||
        !open_sched(&p->sd, GOLDEN "decoder_scheduler/scheduler_config.json", a) ||
        !open_sched(&p->su, GOLDEN "super_res_scheduler/scheduler_config.json", a))
        return 0;
    p->prior = unclip_config_prior(&pc, m.p, m.n, &e) < 0 ? NULL : prior_bind(&pc, &w, k, a, &e);
    if (!ok(p->prior && text_proj_config_from_weights(&tc, &t, &e) == 0 &&
            text_proj_bind(&p->proj, &tc, &t, k, a, &e) == 0, "prior and text_proj bind %s", e.msg))
        return 0;
    mask = get(a, "text_mask"), states = get(a, "text_encoder_hidden_states");
    for (int b = 0; b < 2; b++) {    /* 0: the empty text, 1: the prompt; masked tokens have weight 0 */
        p->embed[b] = get(a, "prompt_embeds") + b * E;
        p->states[b] = arena_take(a, 77 * E, 4);
        p->tokens[b] = 0;
        for (int i = 0; i < 77; i++)
            if (mask[b * 77 + i] != 0)
                memcpy(p->states[b] + p->tokens[b]++ * E, states + (b * 77 + i) * E, E * 4);
    }
    return 1;
}

static void run_prior(struct pipe *p, const struct compute *k, struct arena a, float *out, const char *what) {
    struct transformer_cache cache[2];
    const float *noise = get(&a, "prior.noise");
    const struct prior_text text = {.n = 1, .prefix = &cache[1], .noise = {recorded, &noise}, .init = get(&a, "prior.init")};
    struct prior_job j = {.prior = p->prior, .sched = &p->sp, .steps = STEPS, .ntexts = 1, .text = &text, .guidance = 4,
                          .empty = &cache[0]};
    struct err e = {0};

    for (int b = 0; b < 2; b++) {
        void *s;
        ok(prior_cache(p->prior, p->tokens[b], &cache[b], &a) == 0, "a prefix of %zu tokens", p->tokens[b]);
        s = arena_take(&a, prior_scratch(p->prior, p->tokens[b], 1), 1);
        prior_prefill(p->prior, k, p->tokens[b], p->states[b], p->embed[b], &cache[b], s);
    }
    ok(sample_prior(&j, k, E, out, NULL, a, &e) == 0, "prior %s", e.msg);
    close_to(out, get(&a, "image_embeddings"), E, 0, 6e-6, what);
}

/* The decoder's conditions in one branch; z NULL is the learned "no image". */
static void branch(struct pipe *p, const struct compute *k, int b, const float *z, struct decoder_branch *out,
                   struct unet_context *ctx, struct arena *a) {
    size_t n = p->tokens[b] + 4, wide = 4 * unet_config(p->decoder)->width[0];
    float *time = arena_take(a, wide, 4), *rows = arena_take(a, n * 48, 4);
    void *s = arena_take(a, text_proj_scratch(&p->proj, k, p->tokens[b]), 1);
    struct err e = {0};

    text_proj_run(&p->proj, k, z, p->embed[b], p->tokens[b], p->states[b], time, rows, s);
    ok(unet_context(p->decoder, k, rows, n, ctx, a, &e) == 0, "context of %zu rows %s", n, e.msg);
    *out = (struct decoder_branch){time, ctx};
}

static void run_decoder(struct pipe *p, const struct compute *k, const float *z, struct arena a, float *out, const char *what) {
    struct unet_context ctx[2];
    struct decoder_branch b[2];
    const float *noise = get(&a, "decoder.noise");
    int t[STEPS];
    struct decoder_job j = {.unet = p->decoder, .sched = &p->sd, .side = SMALL, .n = 1, .steps = STEPS, .timesteps = t,
                            .guidance = 8, .cond = &b[1], .uncond = &b[0], .noise = {recorded, &noise},
                            .init = get(&a, "decoder.init")};
    struct err e = {0};

    branch(p, k, 0, NULL, &b[0], &ctx[0], &a);
    branch(p, k, 1, z, &b[1], &ctx[1], &a);
    sched_timesteps(&p->sd, STEPS, t);
    ok(sample_decoder(&j, k, out, NULL, a, &e) == 0, "decoder %s", e.msg);
    close_to(out, get(&a, "decoder.3.latents"), 3 * SMALL * SMALL, 1e-3, 0, what);
}

static void run_upsampler(struct pipe *p, const struct compute *k, const float *small, struct arena a, const char *what) {
    const float *noise = get(&a, "super_res.noise"), *want = get(&a, "image");
    float *big = arena_take(&a, 3 * BIG * BIG, 4), *got = arena_take(&a, 3 * BIG * BIG, 4);
    int t[STEPS], off = 0;
    struct upsample_job j = {.first = p->first, .last = p->last, .sched = &p->su, .n = 1, .in = SMALL, .out = BIG,
                             .steps = STEPS, .timesteps = t, .noise = {recorded, &noise}, .init = get(&a, "super_res.init")};
    struct err e = {0};

    sched_timesteps(&p->su, STEPS, t);
    ok(sample_upsampler(&j, k, small, big, NULL, a, &e) == 0, "upsampler %s", e.msg);
    feature_map_channels_last(big, 1, 3, BIG * BIG, got);
    for (int i = 0; i < 3 * BIG * BIG; i++) {
        got[i] = 0.5f * got[i] + 0.5f;
        got[i] = got[i] < 0 ? 0 : got[i] > 1 ? 1 : got[i];
        off += nearbyintf(255 * got[i]) != nearbyintf(255 * want[i]);
    }
    close_to(got, want, 3 * BIG * BIG, 1e-3, 0, what);
    ok(off <= 12, "%d of %d values differ after rounding to 8 bits (allowed 12)", off, 3 * BIG * BIG);
}

/* The upsampler with other numbers of channels; its first and its last convolution are zeros. */
static struct unet *other_upsampler(size_t in, size_t out, const struct compute *k, struct arena *a) {
    struct unet_config c;
    struct weights w;
    struct mapfile m;
    struct err e = {0};
    size_t side;
    struct unet *u = NULL;

    if (!open_json(&m, GOLDEN "super_res_first/config.json") || !open_weights(&w, GOLDEN "super_res_first" WEIGHTS, a) ||
        !ok(unclip_config_unet(&c, &side, m.p, m.n, &e) == 0, "its config %s", e.msg))
        return NULL;
    c.in = in, c.out = out;
    for (int i = 0; i < 3; i++) {
        struct tensor *t = &weights_find(&w, i == 0 ? "conv_in.weight" : i == 1 ? "conv_out.weight" : "conv_out.bias")->t;
        size_t n;

        t->dtype = DT_F32;
        t->shape[i == 0] = i ? out : in;
        tensor_contiguous(t);
        tensor_count(t, &n);
        t->data = arena_zero(a, n, sizeof(float));
    }
    u = unet_bind(&c, &w, k, a, &e);
    ok(u != NULL, "an upsampler with %zu channels in and %zu out %s", in, out, e.msg);
    return u;
}

/* Both networks use the same buffers, so a pair with different numbers of channels is refused. */
static void upsamplers_differ(const struct compute *k, struct arena a) {
    static const size_t in[] = {6, 10, 6}, out[] = {3, 3, 6};
    static float small[3 * SMALL * SMALL], big[3 * BIG * BIG];
    int t[STEPS];
    struct upsample_job j = {.n = 1, .in = SMALL, .out = BIG, .steps = STEPS, .timesteps = t, .init = big};
    struct unet *u[3];
    struct sched s;

    if (!open_sched(&s, GOLDEN "super_res_scheduler/scheduler_config.json", &a))
        return;
    sched_timesteps(&s, STEPS, t);
    j.sched = &s;
    for (int i = 0; i < 3; i++)
        if (!(u[i] = other_upsampler(in[i], out[i], k, &a)))
            return;
    for (int i = 0; i < 9; i++) {
        struct err e = {0};

        j.first = u[i / 3], j.last = u[i % 3];
        if (i / 3 != i % 3)
            ok(sample_upsampler(&j, k, small, big, NULL, a, &e) < 0 && strstr(e.msg, "whose last step has"), "refused: %s", e.msg);
    }
}

/* The decoder with its last convolution scaled by 1/100.  The eps of a trained network varies slowly with x; that of a
 * random network does not, and inversion would not lead back. */
static struct unet *calm_decoder(const struct compute *k, struct arena *a) {
    struct unet_config c;
    struct weights w;
    struct mapfile m;
    struct err e = {0};
    struct weight *last;
    size_t side, n;
    float *f;

    if (!open_json(&m, GOLDEN "decoder/config.json") || !open_weights(&w, GOLDEN "decoder" WEIGHTS, a))
        return NULL;
    last = weights_find(&w, "conv_out.weight");
    tensor_count(&last->t, &n);
    f = arena_take(a, n, 4);
    tensor_f32(&last->t, 0, n, f);
    for (size_t i = 0; i < n; i++)
        f[i] *= 0.01f;
    last->t.data = f, last->t.dtype = DT_F32;
    tensor_contiguous(&last->t);
    return unclip_config_unet(&c, &side, m.p, m.n, &e) < 0 ? NULL : unet_bind(&c, &w, k, a, &e);
}

/* Inversion, then sampling along the same timesteps. */
static void run_inversion(struct pipe *p, const struct compute *k, const float *z, const float *image, struct arena a) {
    struct unet_context ctx;
    struct decoder_branch b;
    static const size_t counts[] = {10, 50};
    struct unet *calm = calm_decoder(k, &a);
    double psnr[2];

    if (!ok(calm != NULL, "a calm decoder"))
        return;
    branch(p, k, 1, z, &b, &ctx, &a);
    for (int i = 0; i < 2; i++) {
        int t[50];
        float x[3 * SMALL * SMALL], y[3 * SMALL * SMALL];
        struct decoder_job j = {.unet = calm, .sched = &p->sd, .side = SMALL, .n = 1, .timesteps = t, .ddim = true,
                                .guidance = 1, .cond = &b, .init = x, .clip = false};
        struct err e = {0};
        double sq = 0;
        j.steps = sched_timesteps_ddim(&p->sd, counts[i], 900, t);
        memcpy(x, image, sizeof x);
        ok(invert_decoder(&j, k, x, NULL, a, &e) == 0 && sample_decoder(&j, k, y, NULL, a, &e) == 0, "%zu steps there and back", j.steps);
        for (int q = 0; q < 3 * SMALL * SMALL; q++)
            sq += pow((double)(y[q] - image[q]), 2);
        psnr[i] = 10 * log10(4 / (sq / (3 * SMALL * SMALL)));
        printf("# %zu steps: PSNR %.1f dB\n", j.steps, psnr[i]);
    }
    ok(psnr[1] > psnr[0] + 3 && psnr[1] > 30, "more steps bring the picture back better");
}

/* ---- inpainting ---- */

enum { PIXELS = SMALL * SMALL, SIZE = 3 * PIXELS, DRAWN_MAX = 64 };

/* Our own generator.  It keeps the number of each draw. */
struct numbered {
    struct noise_key key;
    unsigned step[DRAWN_MAX];
    size_t n;
};

static void draw_numbered(void *ctx, unsigned step, size_t n, size_t each, float *out) {
    struct numbered *d = ctx;

    d->step[d->n++ % DRAWN_MAX] = step;
    noise_philox(&d->key, step, n, each, out);
}

/* What the state must be after each step: in the known part, the source with the step's noise. */
struct kept {
    const struct decoder_job *j;
    struct numbered *drawn;
    double worst, worst_x0;
};

static bool watch_known(void *ctx, size_t done, size_t steps, const float *x, const float *x0) {
    struct kept *k = ctx;
    float z[SIZE] = {0}, data, rest;

    sched_level(k->j->sched, done < steps ? k->j->timesteps[done] : -1, &data, &rest);
    if (done < steps)
        noise_philox(&k->drawn->key, (unsigned)done, 1, SIZE, z);
    for (size_t i = 0; i < SIZE; i++)
        if (k->j->inpaint->mask[i % PIXELS] != 0) {
            float s = k->j->inpaint->source[i];
            k->worst = fmax(k->worst, fabs((double)(x[i] - (data * s + rest * z[i]))));
            k->worst_x0 = fmax(k->worst_x0, fabs((double)(x0[i] - s)));
        }
    return true;
}

/* Samples with this mask and returns whether the known part is the source's and the rest is neither that nor NaN. */
static int keeps(const struct decoder_job *j, const struct compute *k, const float *mask, float *out, struct arena a) {
    static float source[SIZE];
    const struct inpaint known = {source, mask};
    struct decoder_job with = *j;
    struct err e = {0};
    size_t wrong = 0, same = 0;

    for (size_t i = 0; i < SIZE; i++)
        source[i] = 1 - 2 * (float)(i * 37 % 256) / 255;
    with.inpaint = &known;
    if (sample_decoder(&with, k, out, NULL, a, &e) < 0)
        return 0;
    for (size_t i = 0; i < SIZE; i++) {
        int equal = !memcmp(&out[i], &source[i], sizeof *out);
        wrong += mask[i % PIXELS] != 0 ? !equal : !isfinite(out[i]);
        same += mask[i % PIXELS] == 0 && equal;
    }
    return !wrong && same < SIZE / 100;
}

static void run_inpainting(struct pipe *p, const struct compute *k, const float *z, struct arena a) {
    static float half[PIXELS], none[PIXELS], all[PIXELS], source[SIZE], got[SIZE], plain[SIZE];
    static const struct { bool ddim; double eta; size_t resample; } how[] = {
        {false, 0, 0}, {true, 0, 0}, {true, 0.5, 0}, {false, 0, 3}, {true, 0, 3}, {true, 1, 2}};
    struct unet_context ctx[2];
    struct decoder_branch b[2];
    struct numbered drawn = {.key = {.seed = 7, .id = 1, .stage = NOISE_DECODER}};
    const struct inpaint known = {source, half};
    int t[STEPS], twice = 0;
    struct decoder_job j = {.unet = p->decoder, .sched = &p->sd, .side = SMALL, .n = 1, .steps = STEPS, .timesteps = t,
                            .guidance = 2, .cond = &b[1], .uncond = &b[0], .noise = {draw_numbered, &drawn}, .clip = true};
    struct kept kept = {&j, &drawn, 0, 0};
    const struct sampler_watch w = {watch_known, &kept};
    struct err e = {0};
    size_t numbers;

    branch(p, k, 0, NULL, &b[0], &ctx[0], &a);
    branch(p, k, 1, z, &b[1], &ctx[1], &a);
    sched_timesteps(&p->sd, STEPS, t);
    for (size_t i = 0; i < PIXELS; i++)
        half[i] = i % SMALL < SMALL / 2, all[i] = 1;
    for (size_t i = 0; i < SIZE; i++)
        source[i] = cosf((float)i);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        j.ddim = how[i].ddim, j.eta = how[i].eta, j.resample = how[i].resample;
        drawn.n = 0;
        ok(keeps(&j, k, half, got, a), "%s, eta %g, resampled %zu times: the known half is the source's",
           j.ddim ? "DDIM" : "ancestral", j.eta, j.resample);
        ok(drawn.n == decoder_draws(&j, &numbers), "it draws %zu times, as was announced (%zu)", drawn.n,
           decoder_draws(&j, NULL));
        for (size_t q = 0; q < drawn.n; q++) {
            twice += drawn.step[q] >= numbers;
            for (size_t r = 0; r < q; r++)
                twice += drawn.step[q] == drawn.step[r];
        }
        ok(!twice, "and no draw has the number of another");
        ok(keeps(&j, k, all, got, a), "what is known as a whole stays as it is");
        if (j.resample)
            continue;
        ok(keeps(&j, k, none, got, a) && sample_decoder(&j, k, plain, NULL, a, &e) == 0 && !memcmp(got, plain, sizeof got),
           "where nothing is known, the picture is the one without a mask");
    }
    j.ddim = false, j.eta = 0, j.resample = 0, j.inpaint = &known;
    ok(sample_decoder(&j, k, got, &w, a, &e) == 0, "%s", "a run that is watched");
    ok(kept.worst == 0 && kept.worst_x0 == 0, "RePaint: after each step the known part is the noised source (off by %g, %g)",
       kept.worst, kept.worst_x0);
    {
        float in[2 * 9] = {0};    /* two pixels of 9 channels */
        const float pair[6] = {1, 2, 3, 4, 5, 6}, mask[2] = {0, 1}, want[18] = {[9 + 2] = 2, 4, 6, 1};
        inpaint_channels(&(struct inpaint){pair, mask}, 2, in, 9, 2);
        ok(!memcmp(in, want, sizeof in), "the channels of the known part are source * mask and mask");
        inpaint_channels(NULL, 2, in, 9, 2);
        ok(in[9 + 2] == 0 && in[9 + 5] == 0, "which are 0 where nothing is known");
    }
    j.resample = 1000;
    ok(sample_decoder(&j, k, got, NULL, a, &e) < 0, "more draws than have numbers: %s", e.msg);
}

/* A stand-in for a guide: waves, or zeros with `still`. */
struct waves {
    const struct sched *s;
    bool predicted, still;
    size_t calls;
    float seen[3 * SMALL * SMALL];
};

static int wave(void *ctx, size_t n, const float *x, int t, float *g, struct arena a, struct err *e) {
    struct waves *w = ctx;
    float data, noise;

    (void)n, (void)a, (void)e;
    w->calls++;
    memcpy(w->seen, x, sizeof w->seen);
    sched_level(w->s, t, &data, &noise);
    for (size_t i = 0; i < 3 * SMALL * SMALL; i++) {
        g[i] = w->still ? 0 : (float)sin((double)i);
        if (!w->predicted)
            g[i] = data * data > 0.2f ? g[i] / data : 0;
    }
    return 0;
}

/* A gradient at the predicted x0 counts 1 / sqrt(abar) times at the state, from abar 0.2 on.  At the last step of DDIM the
 * guide sees the result. */
static void guided_at_x0(struct pipe *p, const struct compute *k, const float *z, struct arena a) {
    struct unet_context ctx;
    struct decoder_branch b;
    const float *noise = get(&a, "decoder.noise");
    static float out[2][3 * SMALL * SMALL];
    static struct waves w;
    struct err e = {0};
    int t[STEPS];

    branch(p, k, 1, z, &b, &ctx, &a);
    sched_timesteps(&p->sd, STEPS, t);
    for (int ddim = 0; ddim < 2; ddim++) {
        struct decoder_guide guide = {wave, &w, false};
        struct decoder_job j = {.unet = p->decoder, .sched = &p->sd, .side = SMALL, .n = 1, .steps = STEPS, .timesteps = t,
                                .guidance = 1, .cond = &b, .noise = {recorded, &noise}, .init = get(&a, "decoder.init"), .ddim = ddim,
                                .guide = &guide};
        size_t due = 0;

        for (size_t i = 0; i < STEPS; i++) {
            float data, rest;

            sched_level(&p->sd, t[i], &data, &rest);
            due += data * data > 0.2f;
        }
        for (int x0 = 0; x0 < 2; x0++) {
            noise = get(&a, "decoder.noise");
            w = (struct waves){.s = &p->sd, .predicted = x0};
            guide.predicted = x0;
            ok(sample_decoder(&j, k, out[x0], NULL, a, &e) == 0, "a guide at %s %s", x0 ? "x0" : "the state", e.msg);
        }
        ok(!memcmp(out[0], out[1], sizeof *out), "%s: dx0/dx is 1 / sqrt(abar)", ddim ? "DDIM" : "ancestral");
        ok(w.calls == due && due > 0 && due < STEPS, "it is asked at %zu of %d steps", w.calls, STEPS);
        if (!ddim)
            continue;
        w = (struct waves){.s = &p->sd, .predicted = true, .still = true};
        ok(sample_decoder(&j, k, out[0], NULL, a, &e) == 0 && !memcmp(out[0], w.seen, sizeof *out), "it sees the predicted picture");
    }
}

int main(void) {
    TAP_ARENA(a, 256);
    struct err e = {0};
    struct compute k = {.pool = pool_start(&a, 2, &e)};
    const struct kern *list, *last = NULL;

    if (!open_weights(&io, GOLDEN "io/pipeline.safetensors", &a))
        return done();
    for (size_t i = 0; (list = kern_tried(i)); i++)
        if (list->precision == PREC_F32)
            last = list;
    for (size_t i = 0; (list = kern_tried(i)); i++) {
        struct arena s = a;
        struct pipe p;
        float z[E], small[3 * SMALL * SMALL];
        char what[64];
        if (list->precision != PREC_F32)
            continue;
        k.kern = list;
        if (!open_pipe(&p, &k, &s))
            break;
        snprintf(what, sizeof what, "prior, %s", list->name);
        run_prior(&p, &k, s, z, what);
        snprintf(what, sizeof what, "decoder, %s", list->name);
        run_decoder(&p, &k, z, s, small, what);
        snprintf(what, sizeof what, "picture, %s", list->name);
        run_upsampler(&p, &k, small, s, what);
        if (list == last) {
            run_inpainting(&p, &k, z, s);
            upsamplers_differ(&k, s);
            run_inversion(&p, &k, z, get(&s, "image_small"), s);
            guided_at_x0(&p, &k, z, s);
        }
    }
    pool_stop(k.pool);
    free(a_mem.base);
    return done();
}
