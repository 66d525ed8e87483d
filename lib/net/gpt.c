#include "lib/net/gpt.h"

#include <math.h>
#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/attention.h"
#include "lib/layer/cached_attention.h"
#include "lib/layer/norm.h"
#include "lib/net/gpt_net.h"

static const float EPS = 1e-5f;

size_t gpt_prefix(const struct gpt *g) {
    return g->c.text + g->c.shifted;
}

const struct gpt_config *gpt_config_of(const struct gpt *g) {
    return &g->c;
}

static size_t picture(const struct gpt_config *c) {
    return c->side * c->side;
}

/* ---- which positions a position sees ---- */

static size_t apart(const struct gpt_config *c, size_t a, size_t b) {
    size_t d = a < b ? b - a : a - b;

    return c->wrap && c->side - d < d ? c->side - d : d;
}

bool gpt_sees(const struct gpt_config *c, enum gpt_sees kind, size_t a, size_t b) {
    const size_t d = c->side, reach = c->kernel / 2;

    if (a > b)
        return false;
    switch (kind) {
    case GPT_ALL: return true;
    case GPT_COLUMN: return (b - a) % d == 0;
    case GPT_ROW: return b - a <= d;
    case GPT_WINDOW: break;
    }
    return apart(c, a / d % d, b / d % d) <= reach && apart(c, a % d, b % d) <= reach;
}

/* Returns the number of places in the cache of a layer: as many as there are keys that a later query can still see. */
static size_t places(const struct gpt_config *c, enum gpt_sees kind) {
    const size_t all = picture(c) + c->shifted, reach = c->kernel / 2;
    size_t n = all;

    if (kind == GPT_ROW)
        n = c->side + 1;
    if (kind == GPT_WINDOW && !c->wrap)
        n = reach * c->side + reach + 1;
    return size_min(n, all);
}

size_t gpt_prompt_floats(const struct gpt *g) {
    return g->c.layers * gpt_prefix(g) * 2 * g->c.width;
}

size_t gpt_candidate_floats(const struct gpt *g) {
    size_t n = 0;

    for (size_t i = 0; i < g->c.layers; i++)
        n += places(&g->c, gpt_kind(&g->c, i)) * 2 * g->c.width;
    return n;
}

/* ---- scratch ---- */

struct work {
    float *x, *h, *qkv, *mlp;       /* [rows, width], [rows, width], [rows, 3 width], [rows, mlp] */
    struct attention_seq *seq;
    struct cached_query *query;
    void *rest;
};

static struct attention attention_of(const struct gpt *g) {
    size_t d = g->c.width / g->c.heads;

    return (struct attention){g->c.heads, d, 1 / sqrtf((float)d), true};
}

static struct work plan(const struct gpt *g, const struct compute *k, size_t n, struct scratch *s) {
    const struct gpt_config *c = &g->c;
    const size_t rows = size_max(n, gpt_prefix(g)), keys = gpt_prefix(g) + picture(c) + 1;
    const struct gpt_layer *l = &g->layer[0];
    const struct attention a = attention_of(g);
    size_t rest = attention_scratch(&a, k, gpt_prefix(g));
    struct work w;

    rest = size_max(rest, cached_attention_scratch(c->heads, k, keys));
    rest = size_max(rest, linear_scratch(&l->qkv, k, rows));
    rest = size_max(rest, linear_scratch(&l->out, k, rows));
    rest = size_max(rest, linear_scratch(&l->fc, k, rows));
    rest = size_max(rest, linear_scratch(&l->proj, k, rows));
    rest = size_max(rest, linear_scratch(&g->head, k, rows));
    w.x = scratch_cut(s, rows * c->width, sizeof(float));
    w.h = scratch_cut(s, rows * c->width, sizeof(float));
    w.qkv = scratch_cut(s, rows * 3 * c->width, sizeof(float));
    w.mlp = scratch_cut(s, rows * c->mlp, sizeof(float));
    w.seq = scratch_cut(s, 1, sizeof *w.seq);
    w.query = scratch_cut(s, n, sizeof *w.query);
    w.rest = scratch_cut(s, rest, 1);
    return w;
}

size_t gpt_scratch(const struct gpt *g, const struct compute *k, size_t n) {
    struct scratch s = {0};

    plan(g, k, n, &s);
    return s.used;
}

/* ---- the parts of a layer ---- */

/* x += branch.  A branch with a norm (sandwich) is normalised in place first. */
static void add_branch(const struct gpt *g, const struct compute *k, size_t n, struct gain norm, float *branch, float *x) {
    const size_t d = g->c.width;

    if (norm.g)
        layer_norm(k, n, d, branch, d, norm.g, norm.b, EPS, branch, d);
    for (size_t i = 0; i < n; i++)
        k->kern->f32->axpy(d, 1, branch + i * d, x + i * d);
}

static void project(const struct gpt *g, const struct compute *k, const struct gpt_layer *l, size_t n, const struct work *w) {
    const size_t d = g->c.width;

    layer_norm(k, n, d, w->x, d, l->in.g, l->in.b, EPS, w->h, d);
    linear_run(&l->qkv, k, n, w->h, d, w->qkv, 3 * d, ACT_NONE, NULL, w->rest);
}

/* Computes the rest of a layer after the attention, whose result is in the first third of each row of qkv. */
static void finish_layer(const struct gpt *g, const struct compute *k, const struct gpt_layer *l, size_t n,
                         const struct work *w) {
    const size_t d = g->c.width;

    linear_run(&l->out, k, n, w->qkv, 3 * d, w->h, d, ACT_NONE, NULL, w->rest);
    add_branch(g, k, n, l->after_attention, w->h, w->x);
    layer_norm(k, n, d, w->x, d, l->post.g, l->post.b, EPS, w->h, d);
    linear_run(&l->fc, k, n, w->h, d, w->mlp, g->c.mlp, g->c.act, NULL, w->rest);
    linear_run(&l->proj, k, n, w->mlp, g->c.mlp, w->h, d, ACT_NONE, NULL, w->rest);
    add_branch(g, k, n, l->after_mlp, w->h, w->x);
}

static void score(const struct gpt *g, const struct compute *k, size_t n, const float *x, float *scores, const struct work *w) {
    const size_t d = g->c.width;

    layer_norm(k, n, d, x, d, g->final.g, g->final.b, EPS, w->h, d);
    if (g->head_norm.g)
        layer_norm(k, n, d, w->h, d, g->head_norm.g, g->head_norm.b, EPS, w->h, d);
    linear_run(&g->head, k, n, w->h, d, scores, g->c.codes, ACT_NONE, NULL, w->rest);
}

/* ---- prefill ---- */

static void embed_text(const struct gpt *g, const int ids[], float *x) {
    const struct gpt_config *c = &g->c;
    const size_t d = c->width;

    for (size_t p = 0; p < gpt_prefix(g); p++) {
        const size_t at = p - c->shifted;    /* wraps around for the token in front, which does not use it */
        size_t id = p < c->shifted ? (size_t)c->first : (size_t)ids[at];

        if (p >= c->shifted && c->pads && id == 0)
            id = c->text_vocab - c->text + at;
        tensor_f32(&g->text, id * d, (id + 1) * d, x + p * d);
        for (size_t i = 0; i < d; i++)
            x[p * d + i] += g->text_pos[p * d + i];
    }
}

void gpt_prefill(const struct gpt *g, const struct compute *k, const int ids[], float *prompt, float *scores,
                 void *scratch) {
    const size_t d = g->c.width, n = gpt_prefix(g);
    const struct attention a = attention_of(g);
    struct scratch s = {scratch, 0};
    struct work w = plan(g, k, 1, &s);

    embed_text(g, ids, w.x);
    for (size_t i = 0; i < g->c.layers; i++) {
        const struct gpt_layer *l = &g->layer[i];
        float *kv = prompt + i * n * 2 * d;

        project(g, k, l, n, &w);
        for (size_t p = 0; p < n; p++)
            memcpy(kv + p * 2 * d, w.qkv + p * 3 * d + d, 2 * d * sizeof *kv);
        *w.seq = (struct attention_seq){.q = w.qkv, .o = w.qkv, .nq = n, .ldq = 3 * d, .ldo = 3 * d,
                                        .keys[1] = {kv, kv + d, n, 2 * d}};
        attention_run(&a, k, 1, w.seq, w.rest);
        finish_layer(g, k, l, n, &w);
    }
    if (scores)
        score(g, k, 1, w.x + (n - 1) * d, scores, &w);
}

/* ---- steps ---- */

static void add_run(struct cached_query *q, const float *kv, size_t n, size_t ld, size_t d) {
    if (n)
        q->run[q->runs++] = (struct cached_run){kv, kv + d, n, ld};
}

/* Adds the picture positions from `from` to `to`, both included, to q.  Position p is in place p mod `ring`. */
static void add_ring(struct cached_query *q, const float *cache, size_t from, size_t to, size_t ring, size_t d) {
    const size_t first = from % ring, n = to - from + 1, before = size_min(n, ring - first);

    add_run(q, cache + first * 2 * d, before, 2 * d, d);
    add_run(q, cache, n - before, 2 * d, d);
}

/* Add the positions of one row that the window around position b covers: one run, or two if the window wraps. */
static void add_window_row(const struct gpt_config *c, struct cached_query *q, const float *cache, size_t row, size_t b,
                           size_t least, size_t ring) {
    const size_t d = c->width, side = c->side, reach = c->kernel / 2, base = row * side;

    for (size_t x = 0; x < side;) {
        size_t from;

        while (x < side && (apart(c, x, b % side) > reach || base + x > b))
            x++;
        from = x;
        while (x < side && apart(c, x, b % side) <= reach && base + x <= b)
            x++;
        if (from < x && base + x - 1 >= least)
            add_ring(q, cache, size_max(base + from, least), base + x - 1, ring, d);
    }
}

/* Adds to q the picture positions that position b sees, except those before `least`, as runs of the layer's cache. */
static void visible(const struct gpt_config *c, enum gpt_sees kind, size_t b, size_t least, const float *cache,
                    struct cached_query *q) {
    const size_t d = c->width, side = c->side, ring = places(c, kind), reach = c->kernel / 2;
    size_t first;

    switch (kind) {
    case GPT_ALL:
        add_ring(q, cache, least, b, ring, d);
        return;
    case GPT_ROW:
        add_ring(q, cache, size_max(b < side ? 0 : b - side, least), b, ring, d);
        return;
    case GPT_COLUMN:
        first = b % side + (b % side < least ? side : 0);
        if (first <= b)
            add_run(q, cache + first * 2 * d, (b - first) / side + 1, side * 2 * d, d);
        return;
    case GPT_WINDOW:
        for (size_t row = 0; row <= b / side; row++)
            if (apart(c, row % side, b / side % side) <= reach)
                add_window_row(c, q, cache, row, b, least, ring);
        return;
    }
}

/* Store the keys and values of this step in the caches, and list for each candidate the runs that its query sees. */
static void look(const struct gpt *g, size_t layer, size_t at, size_t n, const struct gpt_candidate c[], size_t offset,
                 const struct work *w) {
    const size_t d = g->c.width, text = gpt_prefix(g), b = at + g->c.shifted;
    const enum gpt_sees kind = gpt_kind(&g->c, layer);
    const size_t ring = places(&g->c, kind);

    for (size_t i = 0; i < n; i++) {
        const float *prompt = c[i].prompt + layer * text * 2 * d;
        float *cache = c[i].cache + offset;
        struct cached_query *q = &w->query[i];

        *q = (struct cached_query){.q = w->qkv + i * 3 * d, .o = w->qkv + i * 3 * d};
        memcpy(cache + b % ring * 2 * d, q->q + d, 2 * d * sizeof *cache);
        add_run(q, prompt, g->c.text, 2 * d, d);
        /* with a token in front, the last text position is picture position 0 of the masks */
        if (g->c.shifted && gpt_sees(&g->c, kind, 0, b))
            add_run(q, prompt + g->c.text * 2 * d, 1, 2 * d, d);
        visible(&g->c, kind, b, g->c.shifted, cache, q);
    }
}

static void embed_codes(const struct gpt *g, size_t at, size_t n, const struct gpt_candidate c[], float *x) {
    const size_t d = g->c.width, side = g->c.side;

    for (size_t i = 0; i < n; i++) {
        float *y = x + i * d;
        size_t id = (size_t)c[i].token;

        tensor_f32(&g->codes, id * d, (id + 1) * d, y);
        for (size_t j = 0; j < d; j++)
            y[j] += g->place ? g->place[at * d + j] : g->row[at / side * d + j] + g->column[at % side * d + j];
    }
}

void gpt_step(const struct gpt *g, const struct compute *k, size_t at, size_t n, const struct gpt_candidate c[],
              float *scores, void *scratch) {
    const size_t d = g->c.width, width = d / g->c.heads;
    const struct cached_attention a = {g->c.heads, width, 1 / sqrtf((float)width)};
    struct scratch s = {scratch, 0};
    struct work w = plan(g, k, n, &s);
    size_t offset = 0;

    embed_codes(g, at, n, c, w.x);
    for (size_t i = 0; i < g->c.layers; i++) {
        project(g, k, &g->layer[i], n, &w);
        look(g, i, at, n, c, offset, &w);
        cached_attention_run(&a, k, n, w.query, w.rest);
        finish_layer(g, k, &g->layer[i], n, &w);
        offset += places(&g->c, gpt_kind(&g->c, i)) * 2 * d;
    }
    if (scores)
        score(g, k, n, w.x, scores, &w);
}
