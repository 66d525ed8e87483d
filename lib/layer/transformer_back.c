#include "lib/layer/transformer_back.h"

#include <math.h>
#include <string.h>

#include "lib/layer/activation.h"
#include "lib/layer/attention_back.h"
#include "lib/layer/norm.h"

int transformer_turn(struct transformer_turned **u, const struct transformer *t, const struct compute *c,
                     struct arena *keep, struct err *e) {
    size_t layers = t->config.layers;
    struct transformer_turned *to = *u = arena_take(keep, layers, sizeof *to);

    if (!to)
        return err_set(e, "out of memory for weights");
    for (size_t i = 0; i < layers; i++) {
        const struct transformer_layer *l = &t->layer[i];

        if (linear_transpose(&to[i].q, &l->q, 1, c, keep, e) < 0 || linear_transpose(&to[i].kv, &l->kv, 1, c, keep, e) < 0 ||
            linear_transpose(&to[i].out, &l->out, 1, c, keep, e) < 0 || linear_transpose(&to[i].fc, &l->fc, 1, c, keep, e) < 0 ||
            linear_transpose(&to[i].proj, &l->proj, 1, c, keep, e) < 0)
            return -1;
    }
    return 0;
}

struct transformer_keep transformer_keep_cut(const struct transformer *t, size_t n, size_t len, bool one,
                                             enum keep_mode mode, struct scratch *s) {
    const struct transformer_config *g = &t->config;
    size_t rows = n * len, d = g->width, states = mode == KEEP_INPUTS ? 1 : g->layers;
    struct transformer_keep k = {.again = mode == KEEP_INPUTS};

    k.x = scratch_cut(s, g->layers * rows * d, sizeof(float));
    k.state = scratch_cut(s, states, sizeof *k.state);
    for (size_t i = 0; i < states; i++) {
        bool last = one && i + 1 == g->layers;    /* with KEEP_INPUTS, the single state must hold all rows */
        size_t m = last ? n : rows;
        struct transformer_state l = {0};

        l.q = scratch_cut(s, m * d, sizeof(float));
        l.kv = scratch_cut(s, rows * 2 * d, sizeof(float));
        if (mode != KEEP_STATES)
            l.p = scratch_cut(s, m * g->heads * len, sizeof(float));
        l.mid = scratch_cut(s, m * d, sizeof(float));
        l.u = scratch_cut(s, m * g->mlp, sizeof(float));
        if (s->base)
            k.state[i] = l;
    }
    return k;
}

struct work {
    float *h;       /* [rows, D] */
    float *du;      /* [m, F] */
    float *dq, *dkv;
    struct attention_back_seq *seq;
    void *rest;
};

static struct attention attention_of(const struct transformer *t) {
    size_t d = t->config.width / t->config.heads;

    return (struct attention){t->config.heads, d, 1 / sqrtf((float)d), false};
}

static struct work plan(const struct transformer *t, const struct transformer_turned *u, const struct compute *c,
                        size_t n, size_t len, bool again, struct scratch *s) {
    const struct transformer_config *g = &t->config;
    struct attention a = attention_of(t);
    size_t rows = n * len, d = g->width, rest = attention_back_scratch(&a, c, len);
    struct work w;

    w.h = scratch_cut(s, rows * d, sizeof(float));
    w.du = scratch_cut(s, rows * size_max(3 * d, g->mlp), sizeof(float));    /* du is not needed when dq and dkv are made */
    w.dq = w.du;
    w.dkv = w.du ? w.du + rows * d : NULL;
    w.seq = scratch_cut(s, n, sizeof *w.seq);
    rest = size_max(rest, linear_scratch(&u->q, c, rows));
    rest = size_max(rest, linear_scratch(&u->kv, c, rows));
    rest = size_max(rest, linear_scratch(&u->out, c, rows));
    rest = size_max(rest, linear_scratch(&u->fc, c, rows));
    rest = size_max(rest, linear_scratch(&u->proj, c, rows));
    if (again)
        rest = size_max(rest, transformer_scratch(t, c, n, rows, len));
    w.rest = scratch_cut(s, rest, 1);
    return w;
}

size_t transformer_back_scratch(const struct transformer *t, const struct transformer_turned *u, const struct compute *c,
                                size_t n, size_t len, enum keep_mode mode) {
    struct scratch s = {0};

    plan(t, u, c, n, len, mode == KEEP_INPUTS, &s);
    return s.used;
}

/* Computes w->dq and w->dkv from the gradient at attention's result, which w->dq holds before the call. */
static void attend_back(const struct transformer *t, const struct compute *c, const struct transformer_run *r,
                        const struct transformer_state *k, bool one, const struct work *w) {
    struct attention a = attention_of(t);
    size_t d = t->config.width, len = r->len[0], nq = one ? 1 : len;

    for (size_t i = 0; i < r->n; i++) {
        size_t q = i * nq * d, kv = i * len * 2 * d;

        w->seq[i] = (struct attention_back_seq){
            .q = k->q + q, .k = k->kv + kv, .v = k->kv + kv + d, .dout = w->dq + q,
            .p = k->p ? k->p + i * a.heads * nq * len : NULL,
            .dq = w->dq + q, .dk = w->dkv + kv, .dv = w->dkv + kv + d, .nq = nq, .nk = len, .ldq = d, .ldk = 2 * d
        };
    }
    attention_back(&a, c, r->n, w->seq, w->rest);
}

/* Adds row i of x [n, D] to row row[i] of sequence i in y. */
static void scatter_add(const struct transformer_run *r, const struct kern *kern, size_t d, const float *x, float *y) {
    for (size_t i = 0, at = 0; i < r->n; at += r->len[i++])
        kern->axpy(d, 1, x + i * d, y + (at + r->row[i]) * d);
}

/* Computes the gradient at the layer's input, dx, from the gradient at its result, dy. */
static void layer_back(const struct transformer *t, const struct transformer_turned *u, const struct compute *c,
                       const struct transformer_run *r, size_t layer, const float *dy, float *dx, const struct work *w) {
    const struct transformer_layer *l = &t->layer[layer];
    const struct transformer_state *k = &r->keep->state[r->keep->again ? 0 : layer];
    bool one = r->row && layer + 1 == t->config.layers;
    size_t d = t->config.width, f = t->config.mlp, rows = r->n * r->len[0], m = one ? r->n : rows;
    const float *x = r->keep->x + layer * rows * d;
    float *dmid = k->mid;    /* each number of mid is read before it is replaced, and mid is not read again */

    linear_run(&u->proj, c, m, dy, d, w->du, f, ACT_NONE, NULL, w->rest);
    activation_back(c, m * f, t->config.act, k->u, w->du, w->du);
    linear_run(&u->fc, c, m, w->du, f, w->h, d, ACT_NONE, NULL, w->rest);
    layer_norm_back(c, m, d, k->mid, l->ln2.g, t->config.eps, w->h, dy, dmid);
    linear_run(&u->out, c, m, dmid, d, w->dq, d, ACT_NONE, NULL, w->rest);
    attend_back(t, c, r, k, one, w);
    linear_run(&u->kv, c, rows, w->dkv, 2 * d, w->h, d, ACT_NONE, NULL, w->rest);
    if (!one) {
        linear_run(&u->q, c, rows, w->dq, d, w->h, d, ACT_NONE, w->h, w->rest);
        layer_norm_back(c, rows, d, x, l->ln1.g, t->config.eps, w->h, dmid, dx);
        return;
    }
    linear_run(&u->q, c, m, w->dq, d, k->q, d, ACT_NONE, NULL, w->rest);    /* k->q is not read again */
    scatter_add(r, c->kern, d, k->q, w->h);
    layer_norm_back(c, rows, d, x, l->ln1.g, t->config.eps, w->h, NULL, dx);
    scatter_add(r, c->kern, d, dmid, dx);
}

void transformer_back(const struct transformer *t, const struct transformer_turned *u, const struct compute *c,
                      const struct transformer_run *r, const float *dy, float *dx, void *scratch) {
    struct scratch s = {scratch, 0};
    struct work w = plan(t, u, c, r->n, r->len[0], r->keep->again, &s);

    for (size_t i = t->config.layers; i-- > 0; dy = dx) {
        if (r->keep->again && i + 1 < t->config.layers)
            transformer_run_layer(t, c, r, i, w.rest);
        layer_back(t, &u[i], c, r, i, dy, dx, &w);
    }
}
