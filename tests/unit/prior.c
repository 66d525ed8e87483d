/* threads */
/* The diffusion prior and text_proj against diffusers' own numbers: tests/golden/karlo, made by
 * PriorTransformer and UnCLIPTextProjModel with random weights under torch 1.13 (f32, CPU). */
#include "lib/net/karlo_names.h"
#include "lib/net/prior.h"
#include "lib/net/text_proj.h"

#include "tests/golden_file.h"
#include "tests/kernels.h"

#define GOLDEN "tests/golden/karlo/"

enum { E = 32, CONTEXT = 77, CROSS = 48 };

static void *need(void *p, const char *what, const struct err *e) {
    if (!p) {
        printf("Bail out! %s: %s\n", what, e && e->msg[0] ? e->msg : "no memory");
        exit(1);
    }
    return p;
}

/* The two rows of the golden call. */
struct rows {
    const float *x, *embed, *states, *mask, *out;
    float t;
    size_t tokens[2];
};

static struct rows read_rows(struct arena *a) {
    struct weights io = golden_open(GOLDEN "io/prior.safetensors", a);
    struct rows r = {golden_floats(&io, "hidden_states", NULL, a), golden_floats(&io, "proj_embedding", NULL, a),
                     golden_floats(&io, "encoder_hidden_states", NULL, a), golden_floats(&io, "attention_mask", NULL, a),
                     golden_floats(&io, "out", NULL, a), golden_floats(&io, "timestep", NULL, a)[0], {0}};

    for (int i = 0; i < 2; i++)
        while (r.tokens[i] < CONTEXT && r.mask[i * CONTEXT + (int)r.tokens[i]] != 0)
            r.tokens[i]++;
    return r;
}

static void prefix(const struct prior *p, const struct compute *c, const struct rows *r, int row,
                   struct transformer_cache *cache, struct arena *a) {
    struct arena b;
    void *s;

    if (prior_cache(p, r->tokens[row], cache, a) < 0)
        need(NULL, "cache", NULL);
    b = *a;
    s = need(arena_take(&b, prior_scratch(p, r->tokens[row], 1), 1), "scratch", NULL);
    memset(s, 0xff, prior_scratch(p, r->tokens[row], 1));
    prior_prefill(p, c, r->tokens[row], r->states + (size_t)row * CONTEXT * E, r->embed + row * E, cache, s);
}

/* Rows order[0 .. n) of the golden call at timestep t */
static void step(const struct prior *p, const struct compute *c, const struct rows *r, size_t n,
                 const int *order, const struct transformer_cache *cache, float t, float *out,
                 struct arena a) {
    const struct transformer_cache *past[8];
    float x[8 * E];
    void *s = need(arena_take(&a, prior_scratch(p, 0, n), 1), "scratch", NULL);

    memset(s, 0xff, prior_scratch(p, 0, n));
    for (size_t i = 0; i < n; i++) {
        past[i] = &cache[order[i]];
        memcpy(x + i * E, r->x + order[i] * E, E * sizeof *x);
    }
    prior_step(p, c, n, past, t, x, out, s);
}

static struct prior *bind(const struct compute *c, struct arena *a) {
    struct weights ws = golden_open(GOLDEN "prior/diffusion_pytorch_model.safetensors", a);
    struct prior_config g;
    struct err e = {0};

    if (prior_config_from_weights(&g, 4, &ws, &e) < 0)
        need(NULL, "prior", &e);
    return need(prior_bind(&g, &ws, c, a, &e), "prior", &e);
}

static void prior_parity(const struct kern *k, struct arena a) {
    static const int both[] = {0, 1};
    struct compute c = {k, NULL};
    struct rows r = read_rows(&a);
    struct prior *p = bind(&c, &a);
    struct transformer_cache cache[2];
    struct weights io = golden_open(GOLDEN "io/prior.safetensors", &a);
    float out[2 * E], again[2 * E];

    printf("# kernel %s, %s; texts of %zu and %zu tokens, t = %g\n", k->name,
           precision_name(k->precision), r.tokens[0], r.tokens[1], (double)r.t);
    for (int i = 0; i < 2; i++)
        prefix(p, &c, &r, i, &cache[i], &a);
    step(p, &c, &r, 2, both, cache, r.t, out, a);
    close_to(out, r.out, 2 * E, 0, k->precision == PREC_BF16 ? 0.02 : 3e-6, "prediction");
    step(p, &c, &r, 2, both, cache, 7, again, a);
    step(p, &c, &r, 2, both, cache, r.t, again, a);
    ok(!memcmp(out, again, sizeof out), "a prefix serves any number of steps");
    memcpy(again, r.out, sizeof again);
    prior_denormalise(p, 2, again);
    close_to(again, golden_floats(&io, "post_process", NULL, &a), 2 * E, 0, 1e-7, "out of the normalised space");
}

/* The same bytes for any batch and any number of threads. */
static void invariance(const struct kern *k, struct arena a) {
    static const int order[] = {0, 1, 1, 0, 1, 0, 0, 1}, threads[] = {1, 2, 4};
    struct compute one = {k, NULL};
    struct rows r = read_rows(&a);
    struct prior *p = bind(&one, &a);
    struct transformer_cache cache[2];
    struct err e = {0};
    float single[8 * E], out[8 * E];
    int bad = 0;

    for (int i = 0; i < 2; i++)
        prefix(p, &one, &r, i, &cache[i], &a);
    for (int i = 0; i < 8; i++)
        step(p, &one, &r, 1, order + i, cache, r.t, single + i * E, a);
    for (int t = 0; t < 3; t++) {
        struct arena b = a;
        struct compute c = {k, need(pool_start(&b, threads[t], &e), "pool", &e)};
        struct prior *q = bind(&c, &b);
        struct transformer_cache other[2];
        for (int i = 0; i < 2; i++)
            prefix(q, &c, &r, i, &other[i], &b);
        for (size_t n = 1; n <= 8; n += n == 1 ? 2 : 5) {
            step(q, &c, &r, n, order, other, r.t, out, b);
            bad += !!memcmp(out, single, n * E * sizeof *out);
        }
        pool_stop(c.pool);
    }
    ok(!bad, "kernel %s: rows in batches of 1, 3, 8 with 1, 2, 4 threads", k->name);
}

static void text_projection(const struct kern *k, struct arena a) {
    struct compute c = {k, NULL};
    struct weights ws = golden_open(GOLDEN "text_proj/diffusion_pytorch_model.safetensors", &a);
    struct weights io = golden_open(GOLDEN "io/text_proj.safetensors", &a);
    const float *image = golden_floats(&io, "image_embeddings", NULL, &a), *text = golden_floats(&io, "prompt_embeds", NULL, &a);
    const float *states = golden_floats(&io, "text_encoder_hidden_states", NULL, &a);
    double tolerance = k->precision == PREC_BF16 ? 0.03 : 1e-6;
    float time[2 * 32], context[2 * 81 * CROSS];
    struct text_proj_config g;
    struct text_proj p;
    struct err e = {0};
    void *s;

    if (text_proj_config_from_weights(&g, &ws, &e) < 0 || text_proj_bind(&p, &g, &ws, &c, &a, &e) < 0)
        need(NULL, "text_proj", &e);
    s = need(arena_take(&a, text_proj_scratch(&p, &c, CONTEXT), 1), "scratch", NULL);
    for (size_t i = 0; i < 2; i++)    /* unguided, guided */
        text_proj_run(&p, &c, i ? image : NULL, text + i * E, CONTEXT, states + i * CONTEXT * E,
                      time + i * 32, context + i * 81 * CROSS, s);
    close_to(time, golden_floats(&io, "out_time", NULL, &a), 64, 0, tolerance, "text_proj: time");
    close_to(context, golden_floats(&io, "out_context", NULL, &a), 2 * 81 * CROSS, 0, tolerance, "text_proj: context");
}

/* The golden weights as Karlo's own checkpoints name and lay them out: q, k and v of each head
 * one above the other. */
static struct weights original(const struct weights *ws, struct arena *a) {
    static const struct { const char *theirs, *ours; } table[] = {
        {"model.time_embed.0.", "time_embedding.linear_1."}, {"model.time_embed.2.", "time_embedding.linear_2."},
        {"model.clip_img_proj.", "proj_in."}, {"model.text_emb_proj.", "embedding_proj."},
        {"model.text_enc_proj.", "encoder_hidden_states_proj."}, {"model.positional_embedding", "positional_embedding"},
        {"model.prd_emb", "prd_embedding"}, {"model.final_ln.", "norm_out."},
        {"model.out_proj.", "proj_to_clip_embeddings."},
        {"ln_1.", "norm1."}, {"ln_2.", "norm3."}, {"attn.c_proj.", "attn1.to_out.0."},
        {"mlp.c_fc.", "ff.net.0.proj."}, {"mlp.c_proj.", "ff.net.2."},
    };
    struct weights out = {.w = need(arena_take(a, ws->n, sizeof *out.w), "table", NULL)};

    for (size_t i = 0; i < ws->n; i++) {
        const char *name = ws->w[i].name, *rest = name;
        char full[128] = "";
        if (!strncmp(name, "transformer_blocks.", 19)) {
            rest = strchr(name + 19, '.') + 1;
            snprintf(full, sizeof full, "model.transformer.resblocks.%.*s", (int)(rest - name - 19), name + 19);
        }
        for (size_t j = 0; j < sizeof table / sizeof *table; j++)
            if (!strncmp(rest, table[j].ours, strlen(table[j].ours))) {
                snprintf(full + strlen(full), sizeof full - strlen(full), "%s%s", table[j].theirs,
                         rest + strlen(table[j].ours));
                out.w[out.n++] = (struct weight){.name = arena_str(a, full, strlen(full)), .t = ws->w[i].t};
                break;
            }
    }
    return out;
}

static void interleave(const struct weights *ws, struct weights *out, struct arena *a) {
    enum { D = 64, HEADS = 4, HEAD = D / HEADS };

    for (size_t l = 0; l < 3; l++)
        for (int bias = 0; bias < 2; bias++) {
            size_t cols = bias ? 1 : D;
            float *all = need(arena_take(a, 3 * D * cols, sizeof *all), "weights", NULL);
            struct tensor t = {.dtype = DT_F32, .nd = bias ? 1 : 2, .shape = {3 * D, D}, .data = all};
            char name[80];
            for (size_t part = 0; part < 3; part++) {
                snprintf(name, sizeof name, "transformer_blocks.%zu.attn1.to_%c.%s", l, "qkv"[part],
                         bias ? "bias" : "weight");
                for (size_t h = 0; h < HEADS; h++)
                    memcpy(all + (3 * h + part) * HEAD * cols, golden_floats(ws, name, NULL, a) + h * HEAD * cols,
                           HEAD * cols * sizeof *all);
            }
            tensor_contiguous(&t);
            snprintf(name, sizeof name, "model.transformer.resblocks.%zu.attn.c_qkv.%s", l,
                     bias ? "bias" : "weight");
            out->w[out->n++] = (struct weight){.name = arena_str(a, name, strlen(name)), .t = t};
        }
}

static void original_names(struct arena a) {
    static const int both[] = {0, 1};
    struct compute c = {&kern_c, NULL};
    struct weights ws = golden_open(GOLDEN "prior/diffusion_pytorch_model.safetensors", &a), theirs = original(&ws, &a), in;
    struct rows r = read_rows(&a);
    struct prior_config g;
    struct prior *p;
    struct transformer_cache cache[2];
    float want[2 * E], got[2 * E];
    struct err e = {0};

    for (int k = 0; k < 2; k++) {
        if (k == 0) {
            p = bind(&c, &a);
        } else {
            interleave(&ws, &theirs, &a);
            weights_sort(&theirs, &e);
            if (karlo_file(&theirs) != KARLO_PRIOR || (in = theirs, karlo_prior(&in, &in, &a, &e) < 0))
                need(NULL, "karlo_prior", &e);
            /* the statistics come from a file of their own: ViT-L-14_stats.th */
            struct weight *w = need(arena_take(&a, in.n + 2, sizeof *w), "table", NULL);
            memcpy(w, in.w, in.n * sizeof *w);
            w[in.n] = *weights_find(&ws, "clip_mean");
            w[in.n + 1] = *weights_find(&ws, "clip_std");
            in = (struct weights){.w = w, .n = in.n + 2};
            if (weights_sort(&in, &e) < 0 || prior_config_from_weights(&g, 4, &in, &e) < 0)
                need(NULL, "karlo_prior", &e);
            p = need(prior_bind(&g, &in, &c, &a, &e), "prior_bind", &e);
        }
        for (int i = 0; i < 2; i++)
            prefix(p, &c, &r, i, &cache[i], &a);
        step(p, &c, &r, 2, both, cache, r.t, k ? got : want, a);
    }
    ok(!memcmp(got, want, sizeof got), "Karlo's own names and rows give the same bytes");
}

static int refuses(const struct weights *ws, size_t heads, struct arena a, const char *want) {
    struct compute c = {&kern_c, NULL};
    struct prior_config g;
    struct err e = {0};
    int bad = prior_config_from_weights(&g, heads, ws, &e) < 0 || !prior_bind(&g, ws, &c, &a, &e);

    if (!bad || strcmp(e.msg, want))
        printf("# said \"%s\", expected \"%s\"\n", e.msg, want);
    return bad && !strcmp(e.msg, want);
}

static void refusals(struct arena a) {
    struct weights ws = golden_open(GOLDEN "prior/diffusion_pytorch_model.safetensors", &a);
    struct weight *w = weights_find(&ws, "clip_std");

    ok(refuses(&ws, 3, a, "prior: width 64 is not a multiple of 3 heads, or odd"), "odd heads");
    w->name = "clip_std2";
    ok(refuses(&ws, 4, a, "tensor clip_std is missing, expected [1, 32]"), "a missing tensor");
    w->name = "clip_std";
    w = weights_find(&ws, "norm_out.bias");
    w->t.shape[0] = 63;
    ok(refuses(&ws, 4, a, "tensor norm_out.bias is [63], expected [64]"), "a wrong shape");
    w->t.shape[0] = 64;
    w = need(arena_take(&a, ws.n + 1, sizeof *w), "table", NULL);
    memcpy(w, ws.w, ws.n * sizeof *w);
    w[ws.n] = (struct weight){.name = "zebra", .t = w[0].t};
    ws = (struct weights){.w = w, .n = ws.n + 1};
    ok(refuses(&ws, 4, a, "tensor zebra is not part of the prior that its config describes"),
       "a tensor that nothing uses");
}

int main(void) {
    TAP_ARENA(a, 64);

    for (size_t j = 0; kern_tried(j); j++) {
        prior_parity(kern_tried(j), a);
        invariance(kern_tried(j), a);
        text_projection(kern_tried(j), a);
    }
    original_names(a);
    refusals(a);
    free(a_mem.base);
    return done();
}
