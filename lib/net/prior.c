#include "lib/net/prior.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/norm.h"
#include "lib/layer/timestep.h"

/* The rows of a step are timestep, noisy embedding and query.  One more row holds the text embedding. */
enum { STEP_ROWS = 3, EXTRA_ROWS = STEP_ROWS + 1 };

struct prior {
    const struct compute *c;            /* the compute that the weights are packed for */
    struct prior_config config;
    const float *position, *query;      /* [context + 4, D], [D] */
    const float *mean, *std;            /* [E] */
    struct linear time1, time2;         /* the MLP of the timestep's embedding */
    struct linear noisy, text, states, out;
    struct transformer blocks;
    struct gain norm;
};

const struct transformer_names prior_layer_names = {
    .ln1 = "norm1", .q = "attn1.to_q", .k = "attn1.to_k", .v = "attn1.to_v",
    .out = "attn1.to_out.0", .ln2 = "norm3", .fc = "ff.net.0.proj", .proj = "ff.net.2",
};
/* The names that karlo_names.h gives to the tensors of the original files. */
static const struct transformer_names original_names = {
    .ln1 = "norm1", .interleaved = "attn1.qkv", .out = "attn1.to_out.0", .ln2 = "norm3",
    .fc = "ff.net.0.proj", .proj = "ff.net.2",
};
static const float eps = 1e-5f;

enum { MOST_WIDTH = 1 << 16, MOST_LAYERS = 1 << 10, MOST_CONTEXT = 1 << 16 };

static int check(const struct prior_config *g, struct err *e) {
    if (!g->embed || g->embed > MOST_WIDTH || !g->width || g->width > MOST_WIDTH || !g->layers ||
        g->layers > MOST_LAYERS || !g->context || g->context > MOST_CONTEXT)
        return err_set(e, "prior of %zu layers, width %zu, embedding %zu, context %zu is out of range",
                       g->layers, g->width, g->embed, g->context);
    if (!g->heads || g->width % g->heads || g->width % 2)
        return err_set(e, "prior: width %zu is not a multiple of %zu heads, or odd", g->width, g->heads);
    return 0;
}

/* Bind the tensor [1, n, d] (nd 3) or [1, d] (nd 2), and return it as contiguous f32. */
static const float *stacked(struct bind *b, const char *name, int nd, size_t n, size_t d) {
    struct tensor t;
    const float *p;
    int bad;

    if (b->bad)
        return NULL;
    bad = nd == 3 ? weights_take(b->ws, name, &t, b->e, 3, (size_t)1, n, d)
                  : weights_take(b->ws, name, &t, b->e, 2, (size_t)1, d);
    p = bad < 0 ? NULL : bind_view(b, name, &t);
    b->bad = !p;
    return p;
}

struct prior *prior_bind(const struct prior_config *g, const struct weights *ws,
                         const struct compute *c, struct arena *keep, struct err *e) {
    struct transformer_config blocks = {g->layers, g->width, g->heads, 4 * g->width, ACT_GELU, eps, true};
    struct bind b = {.ws = ws, .c = c, .keep = keep, .e = e};
    const struct transformer_names *names = &prior_layer_names;
    size_t d = g->width;
    struct prior *p;

    if (weights_find(ws, "transformer_blocks.0.attn1.qkv.weight"))
        names = &original_names;
    if (check(g, e) < 0 || !(p = bind_take(&b, 1, sizeof *p)))
        return NULL;
    p->c = c;
    p->config = *g;
    p->position = stacked(&b, "positional_embedding", 3, g->context + EXTRA_ROWS, d);
    p->query = stacked(&b, "prd_embedding", 3, 1, d);
    p->mean = stacked(&b, "clip_mean", 2, 1, g->embed);
    p->std = stacked(&b, "clip_std", 2, 1, g->embed);
    bind_linear(&b, &p->time1, "time_embedding.linear_1", d, d);
    bind_linear(&b, &p->time2, "time_embedding.linear_2", d, d);
    bind_linear(&b, &p->noisy, "proj_in", d, g->embed);
    bind_linear(&b, &p->text, "embedding_proj", d, g->embed);
    bind_linear(&b, &p->states, "encoder_hidden_states_proj", d, g->embed);
    transformer_bind(&p->blocks, &blocks, names, "transformer_blocks.", &b);
    p->norm = bind_gain(&b, "norm_out", d);
    bind_linear(&b, &p->out, "proj_to_clip_embeddings", g->embed, d);
    bind_refuse_unused(&b, "prior");
    return b.bad ? NULL : p;
}

static size_t layers_of(const struct weights *ws) {
    size_t n = 0;
    char name[64];

    do
        snprintf(name, sizeof name, "transformer_blocks.%zu.norm1.weight", n);
    while (weights_find(ws, name) && ++n < MOST_LAYERS);
    return n;
}

int prior_config_from_weights(struct prior_config *g, size_t heads, const struct weights *ws,
                              struct err *e) {
    const struct weight *pos = weights_find(ws, "positional_embedding");
    const struct weight *in = weights_find(ws, "proj_in.weight");

    if (!pos || pos->t.nd != 3 || pos->t.shape[1] <= EXTRA_ROWS || !in || in->t.nd != 2)
        return err_set(e, "not a prior: positional_embedding or proj_in.weight is missing");
    *g = (struct prior_config){in->t.shape[1], pos->t.shape[2], heads, layers_of(ws),
                               pos->t.shape[1] - EXTRA_ROWS};
    return check(g, e);
}

int prior_cache(const struct prior *p, size_t tokens, struct transformer_cache *cache, struct arena *a) {
    size_t room = tokens + 1;

    *cache = (struct transformer_cache){.room = room};
    cache->kv = arena_take(a, p->config.layers * room, 2 * p->config.width * sizeof *cache->kv);
    return cache->kv ? 0 : -1;
}

struct work {
    float *x, *y;              /* [rows, D], [n, D] */
    float *time;               /* [2, D] */
    size_t *len, *row;         /* [n] */
    void *rest;
};

static struct work plan(const struct prior *p, const struct compute *c, size_t tokens, size_t n,
                        struct scratch *s) {
    size_t d = p->config.width, rows = size_max(tokens + 1, STEP_ROWS * n), rest;
    struct work w;

    w.x = scratch_cut(s, rows * d, sizeof(float));
    w.y = scratch_cut(s, n * d, sizeof(float));
    w.time = scratch_cut(s, 2 * d, sizeof(float));
    w.len = scratch_cut(s, n, sizeof *w.len);
    w.row = scratch_cut(s, n, sizeof *w.row);
    rest = transformer_scratch(&p->blocks, c, size_max(n, 1), rows, p->config.context + EXTRA_ROWS);
    rest = size_max(rest, linear_scratch(&p->states, c, rows));
    rest = size_max(rest, linear_scratch(&p->noisy, c, rows));
    rest = size_max(rest, linear_scratch(&p->text, c, 1));
    rest = size_max(rest, linear_scratch(&p->time1, c, 1));
    rest = size_max(rest, linear_scratch(&p->out, c, n));
    w.rest = scratch_cut(s, rest, 1);
    return w;
}

size_t prior_scratch(const struct prior *p, size_t tokens, size_t n) {
    struct scratch s = {0};

    plan(p, p->c, tokens, n, &s);
    return s.used;
}

void prior_prefill(const struct prior *p, const struct compute *c, size_t tokens, const float *states,
                  const float *embed, struct transformer_cache *cache, void *scratch) {
    struct scratch s = {scratch, 0};
    struct work w = plan(p, c, tokens, 0, &s);
    size_t d = p->config.width, e = p->config.embed;
    float *last = w.x + tokens * d;

    memcpy(w.x, p->position, tokens * d * sizeof *w.x);
    memcpy(last, p->position + p->config.context * d, d * sizeof *w.x);
    linear_run(&p->states, c, tokens, states, e, w.x, d, ACT_NONE, w.x, w.rest);
    linear_run(&p->text, c, 1, embed, e, last, d, ACT_NONE, last, w.rest);
    transformer_prefill(&p->blocks, c, tokens + 1, w.x, cache, w.rest);
}

void prior_step(const struct prior *p, const struct compute *c, size_t n,
                const struct transformer_cache *const past[], float t, const float *x, float *out,
                void *scratch) {
    struct scratch s = {scratch, 0};
    struct work w = plan(p, c, 0, n, &s);
    struct transformer_run r = {.n = n, .len = w.len, .x = w.x, .row = w.row, .y = w.y, .past = past};
    size_t d = p->config.width, e = p->config.embed, ld = STEP_ROWS * d;
    const float *pos = p->position + (p->config.context + 1) * d;

    timestep_embedding(t, d, w.time);
    linear_run(&p->time1, c, 1, w.time, d, w.time + d, d, ACT_SILU, NULL, w.rest);
    linear_run(&p->time2, c, 1, w.time + d, d, w.time, d, ACT_NONE, NULL, w.rest);
    for (size_t i = 0; i < n; i++) {
        float *row = w.x + i * ld;
        for (size_t j = 0; j < d; j++) {
            row[j] = w.time[j] + pos[j];
            row[d + j] = pos[d + j];
            row[2 * d + j] = p->query[j] + pos[2 * d + j];
        }
        w.len[i] = STEP_ROWS;
        w.row[i] = STEP_ROWS - 1;
    }
    linear_run(&p->noisy, c, n, x, e, w.x + d, ld, ACT_NONE, w.x + d, w.rest);
    transformer_run(&p->blocks, c, &r, w.rest);
    layer_norm(c, n, d, w.y, d, p->norm.g, p->norm.b, eps, w.y, d);
    linear_run(&p->out, c, n, w.y, d, out, e, ACT_NONE, NULL, w.rest);
}

void prior_denormalise(const struct prior *p, size_t n, float *x) {
    size_t e = p->config.embed;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < e; j++)
            x[i * e + j] = x[i * e + j] * p->std[j] + p->mean[j];
}
