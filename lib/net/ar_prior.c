#include "lib/net/ar_prior.h"

#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/norm.h"
#include "lib/net/prior.h"

struct ar_prior {
    const struct compute *c;                /* the compute that the weights are packed for */
    struct ar_prior_config config;
    const float *position;                  /* [context + 1 + K, D] */
    const float *dot, *code;                /* [B, D] each: embeddings of the dot product's buckets, and of a code's */
    const float *bias;                      /* [1 + K, B]: row k is added to the scores of code k; row 0 is not used */
    const float *mean, *components;         /* [E], [K, E] */
    const float *edges;                     /* [K, 2] the least and the greatest value of each component */
    const float *dots;                      /* [B] */
    struct linear text, states, logits;
    struct transformer blocks;
    struct gain norm;
};

static const float eps = 1e-5f;

enum { MOST_WIDTH = 1 << 16, MOST_LAYERS = 1 << 10, MOST_CONTEXT = 1 << 16, MOST_BUCKETS = 1 << 16 };

/* ---- binding ---- */

static int check(const struct ar_prior_config *g, struct err *e) {
    if (!g->embed || g->embed > MOST_WIDTH || !g->width || g->width > MOST_WIDTH || !g->layers || g->layers > MOST_LAYERS ||
        !g->context || g->context > MOST_CONTEXT)
        return err_set(e, "autoregressive prior of %zu layers, width %zu, embedding %zu, context %zu is out of range", g->layers,
                       g->width, g->embed, g->context);
    if (!g->heads || g->width % g->heads)
        return err_set(e, "autoregressive prior: width %zu is not a multiple of %zu heads", g->width, g->heads);
    if (!g->codes || g->codes > AR_PRIOR_CODES || g->codes > g->embed)
        return err_set(e, "autoregressive prior: %zu codes for an embedding of %zu; 1 to %zu are supported", g->codes, g->embed,
                       size_min(g->embed, AR_PRIOR_CODES));
    if (g->buckets < 2 || g->buckets > MOST_BUCKETS)
        return err_set(e, "autoregressive prior: %zu buckets; 2 to %d are supported", g->buckets, MOST_BUCKETS);
    return 0;
}

/* Bind the tensor [1, n, d], and return it as contiguous f32. */
static const float *stacked(struct bind *b, const char *name, size_t n, size_t d) {
    struct tensor t;
    const float *p;

    if (b->bad)
        return NULL;
    p = weights_take(b->ws, name, &t, b->e, 3, (size_t)1, n, d) < 0 ? NULL : bind_view(b, name, &t);
    b->bad = !p;
    return p;
}

static void refuse(struct bind *b, const char *name, const char *why) {
    if (!b->bad)
        err_set(b->e, "tensor %s: %s", name, why);
    b->bad = true;
}

/* Refuses n pairs unless each is a least and a greater value.  Returns `pair`. */
static const float *bind_edges(struct bind *b, const char *name, const float *pair, size_t n) {
    for (size_t i = 0; i < n && !b->bad; i++)
        if (!(pair[2 * i] < pair[2 * i + 1]) || pair[2 * i] < -1e30f || pair[2 * i + 1] > 1e30f)
            refuse(b, name, "a bucket's range is not from a lower number to a higher");
    return pair;
}

static const float *bind_histogram(struct bind *b, const char *name, size_t n) {
    const float *h = bind_floats(b, name, n);
    double sum = 0;

    for (size_t i = 0; i < n && !b->bad; i++) {
        if (h[i] < 0)
            refuse(b, name, "a share is below 0");
        sum += (double)h[i];
    }
    if (!b->bad && !(sum > 0))
        refuse(b, name, "all shares are 0");
    return h;
}

struct ar_prior *ar_prior_bind(const struct ar_prior_config *g, const struct weights *ws, const struct compute *c,
                               struct arena *keep, struct err *e) {
    struct transformer_config blocks = {g->layers, g->width, g->heads, 4 * g->width, ACT_GELU, eps, true};
    struct bind b = {.ws = ws, .c = c, .keep = keep, .e = e};
    size_t d = g->width, k = g->codes;
    struct ar_prior *p;
    struct tensor w;

    if (check(g, e) < 0 || !(p = bind_take(&b, 1, sizeof *p)))
        return NULL;
    p->c = c;
    p->config = *g;
    p->position = stacked(&b, "positional_embedding", g->context + 1 + k, d);
    p->dot = bind_table(&b, "dot_embedding.weight", g->buckets, d);
    p->code = bind_table(&b, "code_embedding.weight", g->buckets, d);
    bind_linear(&b, &p->text, "embedding_proj", d, g->embed);
    bind_linear(&b, &p->states, "encoder_hidden_states_proj", d, g->embed);
    transformer_bind(&p->blocks, &blocks, &prior_layer_names, "transformer_blocks.", &b);
    p->norm = bind_gain(&b, "norm_out", d);
    w = bind_matrix(&b, "to_logits.weight", g->buckets, d);
    bind_parts(&b, &p->logits, 1, &w, NULL);
    p->bias = bind_table(&b, "position_logits", 1 + k, g->buckets);
    p->mean = bind_floats(&b, "pca.mean", g->embed);
    p->components = bind_table(&b, "pca.components", k, g->embed);
    p->edges = bind_edges(&b, "code.edges", bind_table(&b, "code.edges", k, 2), k);
    bind_edges(&b, "dot.edges", bind_floats(&b, "dot.edges", 2), 1);
    p->dots = bind_histogram(&b, "dot.histogram", g->buckets);
    bind_refuse_unused(&b, "autoregressive prior");
    return b.bad ? NULL : p;
}

const struct ar_prior_config *ar_prior_config_of(const struct ar_prior *p) {
    return &p->config;
}

const float *ar_prior_dots(const struct ar_prior *p) {
    return p->dots;
}

/* ---- memory ---- */

static int make_cache(const struct ar_prior *p, size_t room, struct transformer_cache *cache, struct arena *a) {
    *cache = (struct transformer_cache){.room = room};
    cache->kv = arena_take(a, p->config.layers * room, 2 * p->config.width * sizeof *cache->kv);
    return cache->kv ? 0 : -1;
}

int ar_prior_cache(const struct ar_prior *p, size_t tokens, struct transformer_cache *cache, struct arena *a) {
    return make_cache(p, tokens + 1, cache, a);
}

int ar_prior_candidate(const struct ar_prior *p, struct transformer_cache *cache, struct arena *a) {
    return make_cache(p, p->config.codes, cache, a);
}

struct work {
    float *x;       /* [rows, D] */
    void *rest;
};

static struct work plan(const struct ar_prior *p, const struct compute *c, size_t tokens, size_t n, struct scratch *s) {
    const struct ar_prior_config *g = &p->config;
    size_t rows = size_max(tokens + 1, n), rest;
    struct work w;

    w.x = scratch_cut(s, rows * g->width, sizeof(float));
    rest = transformer_scratch(&p->blocks, c, 1, tokens + 1, tokens + 1);
    rest = size_max(rest, transformer_step_scratch(&p->blocks, c, n, g->context + 1 + g->codes));
    rest = size_max(rest, linear_scratch(&p->states, c, rows));
    rest = size_max(rest, linear_scratch(&p->text, c, 1));
    rest = size_max(rest, linear_scratch(&p->logits, c, rows));
    w.rest = scratch_cut(s, rest, 1);
    return w;
}

size_t ar_prior_scratch(const struct ar_prior *p, size_t tokens, size_t n) {
    struct scratch s = {0};

    plan(p, p->c, tokens, n, &s);
    return s.used;
}

/* ---- running ---- */

void ar_prior_prefill(const struct ar_prior *p, const struct compute *c, size_t tokens, const float *states,
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

void ar_prior_step(const struct ar_prior *p, const struct compute *c, size_t at, size_t n,
                   const struct transformer_cache *const past[], struct transformer_cache own[], const int token[],
                   float *logits, void *scratch) {
    const struct ar_prior_config *g = &p->config;
    const size_t d = g->width, v = g->buckets;
    const float *place = p->position + (g->context + 1 + at) * d, *bias = p->bias + (1 + at) * v;
    struct scratch s = {scratch, 0};
    struct work w = plan(p, c, 0, n, &s);

    for (size_t i = 0; i < n; i++) {
        const float *row = (at ? p->code : p->dot) + (size_t)token[i] * d;

        for (size_t j = 0; j < d; j++)
            w.x[i * d + j] = row[j] + place[j];
    }
    transformer_step(&p->blocks, c, n, w.x, past, own, w.rest);
    layer_norm(c, n, d, w.x, d, p->norm.g, p->norm.b, eps, w.x, d);
    linear_run(&p->logits, c, n, w.x, d, logits, v, ACT_NONE, NULL, w.rest);
    for (size_t i = 0; i < n; i++)
        c->kern->f32->axpy(v, 1, bias, logits + i * v);
}

void ar_prior_embedding(const struct ar_prior *p, size_t n, const int *codes, float *out) {
    const size_t e = p->config.embed, k = p->config.codes;
    const float width = 1 / (float)p->config.buckets;

    for (size_t i = 0; i < n; i++) {
        memcpy(out + i * e, p->mean, e * sizeof *out);
        for (size_t j = 0; j < k; j++) {
            const float lo = p->edges[2 * j], hi = p->edges[2 * j + 1];
            const float at = lo + ((float)codes[i * k + j] + 0.5f) * width * (hi - lo);

            for (size_t m = 0; m < e; m++)
                out[i * e + m] += at * p->components[j * e + m];
        }
    }
}
