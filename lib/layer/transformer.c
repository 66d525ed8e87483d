#include "lib/layer/transformer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/activation.h"
#include "lib/layer/cached_attention.h"
#include "lib/layer/norm.h"

/* The scratch of a run.  mlp shares the memory of q and kv, which are no longer needed when mlp is written. */
struct work {
    float *h;                  /* [rows, D]: the normalised rows */
    float *q, *kv;             /* [rows, D], [rows, 2 D] */
    float *mlp;                /* [rows, F] */
    const float *x;            /* the layer's input */
    float *mid, *y;            /* x after the attention; the result; without r->keep both are r->x, or r->y (one row) */
    float *u, *p, *o;          /* u, p: NULL, or as in struct transformer_state; o: attention's result, in q or h */
    struct attention_seq *seq; /* [n] */
    void *rest;                /* scratch of linear_run and attention_run */
};

static struct attention attention_of(const struct transformer *t) {
    size_t d = t->config.width / t->config.heads;

    return (struct attention){t->config.heads, d, 1 / sqrtf((float)d), t->config.causal};
}

/* Binds q, k and v from `name`.weight and .bias.  Rows [(3 h + p) d, (3 h + p + 1) d) belong to head h, and to q, k
 * or v for p = 0, 1 or 2. */
static void bind_by_heads(struct transformer_layer *l, const struct transformer_config *c, const char *name,
                          struct bind *b) {
    enum { MOST = 64 };
    struct tensor all, bias, w[3 * MOST], v[3 * MOST];
    size_t d = c->width / c->heads;
    char base[256];

    snprintf(base, sizeof base, "%.250s", name);
    all = bind_matrix(b, bind_name(b, "%.240s.weight", base), 3 * c->width, c->width);
    bias = bind_vector(b, bind_name(b, "%.240s.bias", base), 3 * c->width);
    if (!b->bad && c->heads > MOST) {
        b->bad = true;
        err_set(b->e, "%.200s: %zu heads are more than this program handles", base, c->heads);
    }
    for (size_t p = 0; p < 3 && !b->bad; p++)
        for (size_t h = 0; h < c->heads; h++) {
            size_t row = (3 * h + p) * d;
            w[p * c->heads + h] = tensor_rows(&all, row, row + d);
            v[p * c->heads + h] = tensor_rows(&bias, row, row + d);
        }
    if (b->bad)
        return;
    bind_parts(b, &l->q, c->heads, w, v);
    bind_parts(b, &l->kv, 2 * c->heads, w + c->heads, v + c->heads);
}

static void bind_layer(struct transformer_layer *l, const struct transformer_config *c,
                       const struct transformer_names *names, const char *prefix, size_t i,
                       struct bind *b) {
    size_t d = c->width;
    struct tensor w[3], v[3];
    char at[160];

    snprintf(at, sizeof at, "%.128s%zu", prefix, i);
    l->ln1 = bind_gain(b, bind_name(b, "%s.%s", at, names->ln1), d);
    if (names->q) {
        const char *const part[3] = {names->q, names->k, names->v};
        for (int p = 0; p < 3; p++) {
            w[p] = bind_matrix(b, bind_name(b, "%s.%s.weight", at, part[p]), d, d);
            v[p] = bind_vector(b, bind_name(b, "%s.%s.bias", at, part[p]), d);
        }
    } else if (!names->fused) {
        bind_by_heads(l, c, bind_name(b, "%s.%s", at, names->interleaved), b);
    } else {
        struct tensor all = bind_matrix(b, bind_name(b, "%s.%s_weight", at, names->fused), 3 * d, d);
        struct tensor bias = bind_vector(b, bind_name(b, "%s.%s_bias", at, names->fused), 3 * d);
        for (size_t p = 0; p < 3 && !b->bad; p++) {
            w[p] = tensor_rows(&all, p * d, (p + 1) * d);
            v[p] = tensor_rows(&bias, p * d, (p + 1) * d);
        }
    }
    if (names->q || names->fused) {
        bind_parts(b, &l->q, 1, w, v);
        bind_parts(b, &l->kv, 2, w + 1, v + 1);
    }
    bind_linear(b, &l->out, bind_name(b, "%s.%s", at, names->out), d, d);
    l->ln2 = bind_gain(b, bind_name(b, "%s.%s", at, names->ln2), d);
    bind_linear(b, &l->fc, bind_name(b, "%s.%s", at, names->fc), c->mlp, d);
    bind_linear(b, &l->proj, bind_name(b, "%s.%s", at, names->proj), d, c->mlp);
}

void transformer_bind(struct transformer *t, const struct transformer_config *config,
                      const struct transformer_names *names, const char *prefix, struct bind *b) {
    t->config = *config;
    t->layer = bind_take(b, config->layers, sizeof *t->layer);
    for (size_t i = 0; i < config->layers && !b->bad; i++)
        bind_layer(&t->layer[i], config, names, prefix, i, b);
}

/* Cuts the scratch of a run from s and returns its parts. */
static struct work plan(const struct transformer *t, const struct compute *c, size_t n, size_t rows,
                        size_t keys, struct scratch *s) {
    const struct transformer_config *g = &t->config;
    const struct transformer_layer *l = &t->layer[0];
    struct attention a = attention_of(t);
    size_t d = g->width, rest = attention_scratch(&a, c, keys);
    struct work w = {0};

    w.h = scratch_cut(s, rows * d, sizeof(float));
    w.q = scratch_cut(s, rows * size_max(3 * d, g->mlp), sizeof(float));
    w.kv = w.q ? w.q + rows * d : NULL;
    w.mlp = w.q;
    w.seq = scratch_cut(s, n, sizeof *w.seq);
    rest = size_max(rest, linear_scratch(&l->q, c, rows));
    rest = size_max(rest, linear_scratch(&l->kv, c, rows));
    rest = size_max(rest, linear_scratch(&l->out, c, rows));
    rest = size_max(rest, linear_scratch(&l->fc, c, rows));
    rest = size_max(rest, linear_scratch(&l->proj, c, rows));
    w.rest = scratch_cut(s, rest, 1);
    return w;
}

size_t transformer_scratch(const struct transformer *t, const struct compute *c, size_t n,
                           size_t rows, size_t keys) {
    struct scratch s = {0};

    plan(t, c, n, rows, keys, &s);
    return s.used;
}

/* Copies row row[i] of sequence i in x to row i of y. */
static void gather(const struct transformer_run *r, size_t d, const float *x, float *y) {
    for (size_t i = 0, at = 0; i < r->n; at += r->len[i++])
        memcpy(y + i * d, x + (at + r->row[i]) * d, d * sizeof *y);
}

static void attend(const struct transformer *t, const struct compute *c,
                   const struct transformer_run *r, size_t layer, bool one, const struct work *w) {
    struct attention a = attention_of(t);
    size_t d = t->config.width, ld = 2 * d, squares = 0;

    for (size_t i = 0, at = 0; i < r->n; at += r->len[i++]) {
        const struct transformer_cache *p = r->past ? r->past[i] : NULL;
        const float *kv = w->kv + at * ld;
        struct attention_seq *s = &w->seq[i];

        s->nq = one ? 1 : r->len[i];
        s->q = w->q + (one ? i : at) * d;
        s->o = w->o + (one ? i : at) * d;
        s->p = w->p ? w->p + squares : NULL;
        squares += a.heads * s->nq * r->len[i];
        s->ldq = s->ldo = d;
        s->keys[0] = (struct attention_keys){0};
        if (p && p->used) {
            const float *old = p->kv + layer * p->room * ld;
            s->keys[0] = (struct attention_keys){old, old + d, p->used, ld};
        }
        s->keys[1] = (struct attention_keys){kv, kv + d, r->len[i], ld};
        if (one && a.causal)
            s->keys[1].n = r->row[i] + 1;
    }
    attention_run(&a, c, r->n, w->seq, w->rest);
}

/* Computes w->y = x + proj(act(fc(ln2(x)))) for the m rows x of w->mid. */
static void mlp(const struct transformer *t, const struct compute *c,
                const struct transformer_layer *l, size_t m, const struct work *w) {
    size_t d = t->config.width, f = t->config.mlp;

    layer_norm(c, m, d, w->mid, d, l->ln2.g, l->ln2.b, t->config.eps, w->h, d);
    if (w->u) {
        linear_run(&l->fc, c, m, w->h, d, w->u, f, ACT_NONE, NULL, w->rest);
        activation_run(c, m * f, t->config.act, w->u, w->mlp);
    } else {
        linear_run(&l->fc, c, m, w->h, d, w->mlp, f, t->config.act, NULL, w->rest);
    }
    linear_run(&l->proj, c, m, w->mlp, f, w->y, d, ACT_NONE, w->mid, w->rest);
}

/* Runs one layer from w->x to w->y. */
static void run_layer(const struct transformer *t, const struct compute *c,
                      const struct transformer_run *r, size_t rows, size_t layer, bool one,
                      const struct work *w) {
    const struct transformer_layer *l = &t->layer[layer];
    size_t d = t->config.width, m = one ? r->n : rows;

    layer_norm(c, rows, d, w->x, d, l->ln1.g, l->ln1.b, t->config.eps, w->h, d);
    linear_run(&l->kv, c, rows, w->h, d, w->kv, 2 * d, ACT_NONE, NULL, w->rest);
    if (one)
        gather(r, d, w->h, w->y);
    linear_run(&l->q, c, m, one ? w->y : w->h, d, w->q, d, ACT_NONE, NULL, w->rest);
    if (one)
        gather(r, d, w->x, w->y);
    attend(t, c, r, layer, one, w);
    linear_run(&l->out, c, m, w->o, d, w->mid, d, ACT_NONE, one ? w->y : w->x, w->rest);
    mlp(t, c, l, m, w);
}

/* Sets the places of a layer's input, result and intermediate results. */
static void place(const struct transformer *t, const struct transformer_run *r, size_t rows, size_t layer, bool one,
                  struct work *w) {
    const struct transformer_keep *k = r->keep;
    const struct transformer_state *s;
    size_t size = rows * t->config.width;

    if (!k) {
        w->x = r->x;
        w->mid = w->y = one ? r->y : r->x;
        w->o = w->q;
        return;
    }
    s = &k->state[k->again ? 0 : layer];
    w->x = k->x + layer * size;
    w->y = layer + 1 < t->config.layers ? k->x + (layer + 1) * size : r->y;
    w->q = s->q;
    w->kv = s->kv;
    w->p = s->p;
    w->o = w->h;    /* h is not read again before attention writes to it */
    w->mid = s->mid;
    w->u = s->u;
}

static size_t sum(const size_t *len, size_t n) {
    size_t s = 0;

    for (size_t i = 0; i < n; i++)
        s += len[i];
    return s;
}

/* Returns the number of keys of the longest sequence, including the keys of its cache. */
static size_t most_keys(const struct transformer_run *r) {
    size_t most = 0;

    for (size_t i = 0; i < r->n; i++)
        most = size_max(most, r->len[i] + (r->past && r->past[i] ? r->past[i]->used : 0));
    return most;
}

void transformer_run(const struct transformer *t, const struct compute *c,
                     const struct transformer_run *r, void *scratch) {
    for (size_t i = 0; i < t->config.layers; i++)
        transformer_run_layer(t, c, r, i, scratch);
}

void transformer_run_layer(const struct transformer *t, const struct compute *c, const struct transformer_run *r,
                           size_t layer, void *scratch) {
    struct scratch s = {scratch, 0};
    size_t rows = sum(r->len, r->n);
    struct work w = plan(t, c, r->n, rows, most_keys(r), &s);
    bool one = r->row && layer + 1 == t->config.layers;

    place(t, r, rows, layer, one, &w);
    run_layer(t, c, r, rows, layer, one, &w);
}

void transformer_prefill(const struct transformer *t, const struct compute *c, size_t len, float *x,
                        struct transformer_cache *cache, void *scratch) {
    const struct transformer_cache *past = cache;
    struct transformer_run r = {.n = 1, .len = &len, .x = x, .past = &past};
    struct scratch s = {scratch, 0};
    struct work w = plan(t, c, 1, len, cache->used + len, &s);
    size_t d = t->config.width, layers = t->config.layers;

    for (size_t i = 0; i < layers; i++) {
        const struct transformer_layer *l = &t->layer[i];
        float *kv = cache->kv + (i * cache->room + cache->used) * 2 * d;

        layer_norm(c, len, d, x, d, l->ln1.g, l->ln1.b, t->config.eps, w.h, d);
        linear_run(&l->kv, c, len, w.h, d, kv, 2 * d, ACT_NONE, NULL, w.rest);
        if (i + 1 == layers)
            break;
        w.kv = kv;
        w.x = w.mid = w.y = x;
        w.o = w.q;
        linear_run(&l->q, c, len, w.h, d, w.q, d, ACT_NONE, NULL, w.rest);
        attend(t, c, &r, i, false, &w);
        linear_run(&l->out, c, len, w.q, d, x, d, ACT_NONE, x, w.rest);
        mlp(t, c, l, len, &w);
    }
    cache->used += len;
}

/* ---- one row at a time ---- */

/* Cuts the scratch of a step from s.  query [n] takes the place of attention_seq. */
static struct work plan_step(const struct transformer *t, const struct compute *c, size_t n, size_t keys,
                             struct scratch *s, struct cached_query **query) {
    struct work w;

    *query = scratch_cut(s, n, sizeof **query);
    w = plan(t, c, 0, n, 1, s);
    scratch_cut(s, cached_attention_scratch(attention_of(t).heads, c, keys), 1);    /* w.rest is the last part: this makes it larger */
    return w;
}

size_t transformer_step_scratch(const struct transformer *t, const struct compute *c, size_t n, size_t keys) {
    struct cached_query *query;
    struct scratch s = {0};

    plan_step(t, c, n, keys, &s, &query);
    return s.used;
}

static void add_run(struct cached_query *q, const struct transformer_cache *cache, size_t rows, size_t layer, size_t ld) {
    const float *kv = cache->kv + layer * cache->room * ld;

    if (rows)
        q->run[q->runs++] = (struct cached_run){kv, kv + ld / 2, rows, ld};
}

void transformer_step(const struct transformer *t, const struct compute *c, size_t n, float *x,
                      const struct transformer_cache *const past[], struct transformer_cache own[], void *scratch) {
    const struct attention whole = attention_of(t);
    const struct cached_attention a = {whole.heads, whole.width, whole.scale};
    struct scratch s = {scratch, 0};
    size_t d = t->config.width, ld = 2 * d, keys = 0;
    struct cached_query *query;
    struct work w;

    for (size_t i = 0; i < n; i++)
        keys = size_max(keys, (past[i] ? past[i]->used : 0) + own[i].used + 1);
    w = plan_step(t, c, n, keys, &s, &query);
    w.mid = w.y = x;
    for (size_t k = 0; k < t->config.layers; k++) {
        const struct transformer_layer *l = &t->layer[k];

        layer_norm(c, n, d, x, d, l->ln1.g, l->ln1.b, t->config.eps, w.h, d);
        linear_run(&l->q, c, n, w.h, d, w.q, d, ACT_NONE, NULL, w.rest);
        linear_run(&l->kv, c, n, w.h, d, w.kv, ld, ACT_NONE, NULL, w.rest);
        for (size_t i = 0; i < n; i++) {
            struct transformer_cache *o = &own[i];

            memcpy(o->kv + (k * o->room + o->used) * ld, w.kv + i * ld, ld * sizeof *w.kv);
            query[i].q = query[i].o = w.q + i * d;
            query[i].runs = 0;
            if (past[i])
                add_run(&query[i], past[i], past[i]->used, k, ld);
            add_run(&query[i], o, o->used + 1, k, ld);
        }
        cached_attention_run(&a, c, n, query, w.rest);
        linear_run(&l->out, c, n, w.q, d, x, d, ACT_NONE, x, w.rest);
        mlp(t, c, l, n, &w);
    }
    for (size_t i = 0; i < n; i++)
        own[i].used++;
}
