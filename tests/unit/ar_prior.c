/* threads */
/* The autoregressive prior against the torch class of the recipe (tests/golden/ar_prior): its scores through the cache,
 * its codes, and its draws from a torch generator; what may not depend on the batch and the threads; what is refused. */
#include "lib/net/ar_prior.h"

#include "formats/checkpoint/unclip_config.h"
#include "formats/checkpoint/unclip_model.h"
#include "formats/io/mapfile.h"
#include "lib/diffusion/ar_sampler.h"
#include "lib/diffusion/noise.h"
#include "tools/stage/sample.h"

#include "tests/golden_file.h"
#include "tests/kernels.h"

#define GOLDEN "tests/golden/ar_prior/"

enum { E = 32, CONTEXT = 77, K = 12, B = 64 };

static void *need(void *p, const char *what, const struct err *e) {
    if (!p) {
        printf("Bail out! %s: %s\n", what, e && e->msg[0] ? e->msg : "no memory");
        exit(1);
    }
    return p;
}

static const struct ar_prior_config config = {E, 32, 2, 3, CONTEXT, K, B};

static struct ar_prior *bind(const struct compute *c, struct arena *a) {
    struct weights ws = golden_open(GOLDEN "prior/model.safetensors", a);
    struct err e = {0};

    return need(ar_prior_bind(&config, &ws, c, a, &e), "prior", &e);
}

/* The prefixes of the text and of the empty text. */
static void prefixes(const struct ar_prior *p, const struct compute *c, struct transformer_cache cache[2], struct arena *a) {
    struct weights io = golden_open(GOLDEN "io.safetensors", a);
    const float *embeds = golden_floats(&io, "embeds", NULL, a), *states = golden_floats(&io, "states", NULL, a), *mask = golden_floats(&io, "mask", NULL, a);

    for (size_t i = 0; i < 2; i++) {
        struct arena b;
        size_t n = 0;
        void *s;

        while (n < CONTEXT && mask[i * CONTEXT + n] != 0)
            n++;
        need(ar_prior_cache(p, n, &cache[i], a) < 0 ? NULL : &cache, "cache", NULL);
        b = *a;
        s = need(arena_take(&b, ar_prior_scratch(p, n, 1), 1), "scratch", NULL);
        memset(s, 0xff, ar_prior_scratch(p, n, 1));
        ar_prior_prefill(p, c, n, states + i * CONTEXT * E, embeds + i * E, &cache[i], s);
    }
}

/* The scores [n, K, B] of the golden tokens of texts order[0 .. n), step by step. */
static float *scores(const struct ar_prior *p, const struct compute *c, size_t n, const int *order,
                     const struct transformer_cache cache[2], struct arena *a) {
    struct weights io = golden_open(GOLDEN "io.safetensors", a);
    const float *dot = golden_floats(&io, "dot", NULL, a), *code = golden_floats(&io, "codes", NULL, a);
    float *out = need(arena_take(a, n * K * B, sizeof *out), "room", NULL), part[8 * B];
    const struct transformer_cache *past[8];
    struct transformer_cache own[8];
    struct arena b = *a;
    int token[8];
    void *s = need(arena_take(&b, ar_prior_scratch(p, 0, n), 1), "scratch", NULL);

    for (size_t i = 0; i < n; i++) {
        past[i] = &cache[order[i]];
        need(ar_prior_candidate(p, &own[i], &b) < 0 ? NULL : &own, "candidate", NULL);
    }
    for (size_t at = 0; at < K; at++) {
        memset(s, 0xff, ar_prior_scratch(p, 0, n));
        for (size_t i = 0; i < n; i++)
            token[i] = (int)(at ? code[order[i] * K + (int)at - 1] : dot[order[i]]);
        ar_prior_step(p, c, at, n, past, own, token, part, s);
        for (size_t i = 0; i < n; i++)
            memcpy(out + (i * K + at) * B, part + i * B, B * sizeof *out);
    }
    return out;
}

static void parity(const struct kern *k, struct arena a) {
    static const int both[] = {0, 1};
    struct compute c = {k, NULL};
    struct ar_prior *p = bind(&c, &a);
    struct weights io = golden_open(GOLDEN "io.safetensors", &a);
    const float *want = golden_floats(&io, "logits", NULL, &a), *z = golden_floats(&io, "z_codes", NULL, &a), *got;
    struct transformer_cache cache[2];
    int codes[3 * K];
    float back[3 * E];

    printf("# kernel %s, %s\n", k->name, precision_name(k->precision));
    prefixes(p, &c, cache, &a);
    got = scores(p, &c, 2, both, cache, &a);
    for (size_t i = 0; i < 2; i++)    /* the reference's first row is for the dot product, which nobody draws by it */
        close_to(got + i * K * B, want + (i * (K + 1) + 1) * B, K * B, 0, k->precision == PREC_BF16 ? 0.014 : 1.6e-6,
                 i ? "scores of the empty text" : "scores, token by token through the cache, are those of the whole row");
    for (size_t i = 0; i < 3 * K; i++)
        codes[i] = (int)z[i];
    ar_prior_embedding(p, 3, codes, back);
    close_to(back, golden_floats(&io, "z_back", NULL, &a), 3 * E, 0, 2.5e-7, "codes to embeddings");
}

/* The same bytes for any batch and any number of threads. */
static void invariance(const struct kern *k, struct arena a) {
    static const int order[] = {0, 1, 1, 0, 1, 0, 0, 1}, threads[] = {1, 2, 4};
    struct compute one = {k, NULL};
    struct ar_prior *p = bind(&one, &a);
    struct transformer_cache cache[2];
    float *single[2];
    struct err e = {0};
    int bad = 0;

    prefixes(p, &one, cache, &a);
    for (int i = 0; i < 2; i++)
        single[i] = scores(p, &one, 1, order + i, cache, &a);
    for (int t = 0; t < 3; t++) {
        struct arena b = a;
        struct compute c = {k, need(pool_start(&b, threads[t], &e), "pool", &e)};
        struct ar_prior *q = bind(&c, &b);
        struct transformer_cache other[2];
        prefixes(q, &c, other, &b);
        for (size_t n = 1; n <= 8; n += n == 1 ? 2 : 5) {
            struct arena d = b;
            const float *out = scores(q, &c, n, order, other, &d);
            for (size_t i = 0; i < n; i++)
                bad += !!memcmp(out + i * K * B, single[order[i]], K * B * sizeof *out);
        }
        pool_stop(c.pool);
    }
    ok(!bad, "kernel %s: rows in batches of 1, 3, 8 with 1, 2, 4 threads", k->name);
}

/* ---- draws ---- */

/* n candidates in groups of `group`, from torch's generator. */
static void draw(const struct ar_prior *p, const struct transformer_cache cache[2], size_t n, size_t group, double guidance,
                 double temperature, double quantile, unsigned seed, int *tokens, float *out, struct arena a) {
    const struct compute c = {&kern_c, NULL};
    struct sample_noise z = {.is_torch = true, .torch = {.n = n, .rows = n}};
    struct err e = {0};

    torch_rng_seed(&z.torch.g, seed);
    for (size_t first = 0; first < n; first += group) {
        const size_t count = n - first < group ? n - first : group;
        struct token_rows state;
        const struct ar_prior_text text = {count, &cache[0], sample_tokens(&z, &state, first, count)};
        const struct ar_prior_job j = {p, 1, &text, guidance, temperature, quantile, &cache[1]};

        if (sample_ar_prior(&j, &c, out + first * E, tokens + first * (1 + K), NULL, a, &e) < 0)
            need(NULL, "draw", &e);
    }
}

static void draws(struct arena a) {
    static const struct { const char *name; size_t n; double guidance, temperature, quantile; unsigned seed; } runs[] = {
        {"one", 1, 4, 1, 0.5, 0}, {"four", 4, 3, 0.7, 0.85, 7}, {"free", 3, 1, 1, 0, 3}};
    struct compute c = {&kern_c, NULL};
    struct ar_prior *p = bind(&c, &a);
    struct weights io = golden_open(GOLDEN "io.safetensors", &a);
    struct transformer_cache cache[2];

    prefixes(p, &c, cache, &a);
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++)
        for (size_t group = 1; group <= 4; group += group == 1 ? 2 : 1) {
            int tokens[4 * (1 + K)], bad = 0;
            float out[4 * E];
            char name[3][40];
            const float *dot, *code;

            snprintf(name[0], sizeof name[0], "draw.%s.dot", runs[r].name);
            snprintf(name[1], sizeof name[1], "draw.%s.codes", runs[r].name);
            snprintf(name[2], sizeof name[2], "draw.%s.embed", runs[r].name);
            dot = golden_floats(&io, name[0], NULL, &a), code = golden_floats(&io, name[1], NULL, &a);
            draw(p, cache, runs[r].n, group, runs[r].guidance, runs[r].temperature, runs[r].quantile, runs[r].seed, tokens, out, a);
            for (size_t i = 0; i < runs[r].n; i++) {
                bad += tokens[i * (1 + K)] != (int)dot[i];
                for (size_t k = 0; k < K; k++)
                    bad += tokens[i * (1 + K) + 1 + k] != (int)code[i * K + k];
            }
            ok(!bad, "torch.multinomial's tokens: %s, in groups of %zu", runs[r].name, group);
            close_to(out, golden_floats(&io, name[2], NULL, &a), runs[r].n * E, 0, 5e-7, "and their embeddings");
        }
}

/* The dot product's distribution above a quantile: a bucket that the quantile cuts keeps the part above. */
static void quantiles(void) {
    static const float share[] = {0, 1, 2, 1, 0, 4, 0};
    static const struct { double q, want[7]; } cases[] = {
        {0, {0, 1, 2, 1, 0, 4, 0}}, {0.25, {0, 0, 1, 1, 0, 4, 0}}, {0.5, {0, 0, 0, 0, 0, 4, 0}}, {0.9999, {0, 0, 0, 0, 0, 0.0008, 0}}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double got[7], sum = dot_weights(7, share, cases[i].q, got), want = 0;
        int bad = 0;

        for (size_t k = 0; k < 7; k++) {
            bad += fabs(got[k] - cases[i].want[k]) > 1e-12;
            want += cases[i].want[k];
        }
        ok(!bad && fabs(sum - want) < 1e-12, "what lies above quantile %g", cases[i].q);
    }
}

/* The tokens of our own generator are a function of seed, id, sample and place, and do not depend on the group. */
static void philox(struct arena a) {
    struct compute c = {&kern_c, NULL};
    struct ar_prior *p = bind(&c, &a);
    struct transformer_cache cache[2];
    struct sample_noise z = {.key = {.seed = 3, .id = 99, .stage = NOISE_TOKENS, .sample = 5}};
    int whole[5 * (1 + K)], part[5 * (1 + K)], bad = 0, same = 0;
    float out[5 * E];
    struct err e = {0};

    prefixes(p, &c, cache, &a);
    for (size_t group = 5; group >= 1; group -= group == 5 ? 3 : 1) {
        for (size_t first = 0; first < 5; first += group) {
            size_t n = 5 - first < group ? 5 - first : group;
            struct token_rows state;
            struct ar_prior_text text = {n, &cache[0], sample_tokens(&z, &state, first, n)};
            struct ar_prior_job j = {p, 1, &text, 2, 1, 0.5, &cache[1]};

            if (sample_ar_prior(&j, &c, out, (group == 5 ? whole : part) + first * (1 + K), NULL, a, &e) < 0)
                need(NULL, "draw", &e);
        }
        if (group != 5)
            bad += !!memcmp(whole, part, sizeof whole);
    }
    ok(!bad, "our own tokens in groups of 5, 2 and 1");
    for (size_t i = 1; i < 5; i++)
        same += !memcmp(whole, whole + i * (1 + K), (1 + K) * sizeof *whole);
    ok(!same, "five candidates differ");
}

/* ---- refusals ---- */

static int said(int bad, const struct err *e, const char *want) {
    if (!bad || strcmp(e->msg, want))
        printf("# said \"%s\", expected \"%s\"\n", e->msg, want);
    return bad && !strcmp(e->msg, want);
}

static void tensors(struct arena a) {
    struct compute c = {&kern_c, NULL};
    struct weights ws = golden_open(GOLDEN "prior/model.safetensors", &a);
    struct err e = {0};

    /* each tensor in turn: missing, too long, of another number of axes, with a number that is not finite */
    for (size_t i = 0; i < ws.n; i++) {
        struct weight was = ws.w[i], *w = &ws.w[i];
        const char *why[] = {"missing", "longer", "of other axes", "not finite"};
        char other[100];
        int bad = 0;

        for (int k = 0; k < 4; k++) {
            struct arena b = a;
            size_t n;
            float *nan;

            err_clear(&e);
            for (size_t m = 0; m < ws.n; m++)
                ws.w[m].used = false;
            if (k == 0)
                snprintf(other, sizeof other, "%s~", was.name), w->name = other;    /* the table stays sorted */
            else if (k == 1)
                w->t.shape[0]++;
            else if (k == 2)
                w->t.nd++, w->t.shape[w->t.nd - 1] = w->t.stride[w->t.nd - 1] = 1;
            else {
                tensor_count(&w->t, &n);
                nan = need((void *)(size_t)tensor_all_f32(&w->t, &b), "room", NULL);
                if (nan == w->t.data)
                    nan = memcpy(need(arena_take(&b, n, sizeof *nan), "room", NULL), nan, n * sizeof *nan);
                nan[n / 2] = NAN;
                w->t.data = nan, w->t.dtype = DT_F32;
            }
            if (ar_prior_bind(&config, &ws, &c, &b, &e) || !strstr(e.msg, was.name)) {
                printf("# %s, %s: said \"%s\"\n", was.name, why[k], e.msg);
                bad++;
            }
            *w = was;
        }
        ok(!bad, "%s is checked", was.name);
    }
}

static void values(struct arena a) {
    static const struct { const char *name; size_t at; float v; const char *want; } cases[] = {
        {"code.edges", 4, 1e9f, "tensor code.edges: a bucket's range is not from a lower number to a higher"},
        {"code.edges", 5, 2e30f, "tensor code.edges: a bucket's range is not from a lower number to a higher"},
        {"dot.edges", 0, 0.6f, "tensor dot.edges: a bucket's range is not from a lower number to a higher"},
        {"dot.histogram", 7, -0.01f, "tensor dot.histogram: a share is below 0"},
    };
    struct compute c = {&kern_c, NULL};

    for (size_t i = 0; i <= sizeof cases / sizeof *cases; i++) {
        struct arena b = a;
        struct weights ws = golden_open(GOLDEN "prior/model.safetensors", &b);
        struct weight *w = weights_find(&ws, i < 4 ? cases[i].name : "dot.histogram");
        struct err e = {0};
        size_t n;
        float *v;

        tensor_count(&w->t, &n);
        v = memcpy(need(arena_take(&b, n, sizeof *v), "room", NULL), w->t.data, n * sizeof *v);
        w->t.data = v;
        if (i < 4)
            v[cases[i].at] = cases[i].v;
        else
            memset(v, 0, n * sizeof *v);
        ok(said(!ar_prior_bind(&config, &ws, &c, &b, &e), &e, i < 4 ? cases[i].want : "tensor dot.histogram: all shares are 0"),
           "refused: %s", w->name);
    }
}

static void sizes(struct arena a) {
    static const struct { struct ar_prior_config g; const char *want; } cases[] = {
        {{E, 32, 3, 3, CONTEXT, K, B}, "autoregressive prior: width 32 is not a multiple of 3 heads"},
        {{E, 32, 2, 1025, CONTEXT, K, B}, "autoregressive prior of 1025 layers, width 32, embedding 32, context 77 is out of range"},
        {{E, 1 << 20, 2, 3, CONTEXT, K, B}, "autoregressive prior of 3 layers, width 1048576, embedding 32, context 77 is out of range"},
        {{E, 32, 2, 3, CONTEXT, 33, B}, "autoregressive prior: 33 codes for an embedding of 32; 1 to 32 are supported"},
        {{8192, 32, 2, 3, CONTEXT, 4096, B}, "autoregressive prior: 4096 codes for an embedding of 8192; 1 to 4095 are supported"},
        {{E, 32, 2, 3, CONTEXT, K, 1}, "autoregressive prior: 1 buckets; 2 to 65536 are supported"},
        {{E, 32, 2, 3, CONTEXT, K, 65}, "tensor dot_embedding.weight is [64, 32], expected [65, 32]"},
        {{E, 32, 2, 3, CONTEXT + 1, K, B}, "tensor positional_embedding is [1, 90, 32], expected [1, 91, 32]"},
        {{E, 32, 2, 2, CONTEXT, K, B}, "tensor transformer_blocks.2.attn1.to_k.bias is not part of the autoregressive prior that its config describes"},
    };
    struct compute c = {&kern_c, NULL};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena b = a;
        struct weights ws = golden_open(GOLDEN "prior/model.safetensors", &b);
        struct err e = {0};

        ok(said(!ar_prior_bind(&cases[i].g, &ws, &c, &b, &e), &e, cases[i].want), "refused: %s", cases[i].want);
    }
}

static void configs(void) {
    static const struct { const char *from, *to, *want; } cases[] = {
        {"\"ARPriorTransformer\"", "\"PriorTransformer\"", "_class_name PriorTransformer is not supported"},
        {"\"num_codes\": 12,", "", "num_codes is missing"},
        {"\"num_codes\": 12", "\"num_codes\": null", "num_codes is missing"},
        {"\"num_codes\": 12", "\"num_codes\": 0", "num_codes is not a number from 1 to 16777216"},
        {"\"num_buckets\": 64", "\"num_buckets\": 64, \"rotary\": true", "rotary is set, which is not supported"},
    };
    struct ar_prior_config g = {0};
    struct err e = {0};
    struct mapfile m;
    char text[2000], *p;

    need(mapfile_open(&m, GOLDEN "prior/config.json", &e) < 0 ? NULL : &m, "config", &e);
    ok(unclip_config_is_ar_prior(m.p, m.n) && unclip_config_ar_prior(&g, m.p, m.n, &e) == 0 && !memcmp(&g, &config, sizeof g), "the config %s",
       e.msg);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err_clear(&e);
        snprintf(text, sizeof text, "%.*s", (int)m.n, (const char *)m.p);
        p = need(strstr(text, cases[i].from), cases[i].from, NULL);
        char rest[1000];
        snprintf(rest, sizeof rest, "%s", p + strlen(cases[i].from));
        snprintf(p, sizeof text - (size_t)(p - text), "%s%s", cases[i].to, rest);
        ok(said(unclip_config_ar_prior(&g, text, strlen(text), &e) < 0, &e, cases[i].want), "refused: %s", cases[i].want);
    }
    ok(!unclip_config_is_ar_prior("{", 1) && !unclip_config_is_ar_prior("[]", 2), "what is not an object is not such a config");
    mapfile_close(&m);
}

static void opened(struct arena a) {
    static const char *const path[] = {"tests/golden/ar_prior", "tests/golden/karlo"};
    static const struct compute c = {&kern_c, NULL};
    struct prior_model m;
    struct err e = {0};

    ok(unclip_open_prior(&m, &(struct model_paths){path, 2, -1, NULL, NULL}, &c, &a, &e) == 0 && m.ar && !m.prior && m.config.embed == E &&
       m.codes.codes == K && strlen(m.fingerprint) == 16, "the folder's config says which prior it is %s", e.msg);
    ok(unclip_open_prior(&m, &(struct model_paths){path + 1, 1, -1, NULL, NULL}, &c, &a, &e) == 0 && !m.ar && m.prior, "Karlo's prior %s", e.msg);
}

int main(void) {
    TAP_ARENA(a, 64);

    for (size_t j = 0; kern_tried(j); j++) {
        parity(kern_tried(j), a);
        invariance(kern_tried(j), a);
    }
    draws(a);
    quantiles();
    philox(a);
    tensors(a);
    values(a);
    sizes(a);
    configs();
    opened(a);
    return done();
}
