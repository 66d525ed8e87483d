#include "lib/net/clip_bind.h"

#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/norm.h"

struct clip_text {
    const struct compute *c;   /* the compute that the weights are packed for */
    size_t context, vocab, width, embed;
    float eps;
    int eos;
    struct tensor token;       /* [vocab, D] as stored; only the rows of tokens that occur are read */
    const float *position;     /* [context, D] */
    struct transformer blocks;
    struct gain ln_final;
    struct linear projection;
};

struct clip_text *clip_bind_text(const struct clip_config *config, const struct weights *ws,
                                 const struct compute *k, struct arena *keep, struct err *e) {
    const struct clip_family *names = config->family;
    const struct clip_text_config *g = &config->text;
    struct transformer_config blocks = {g->layers, g->width, g->heads, g->mlp, g->act, g->eps, true};
    struct bind b = {.ws = ws, .c = k, .keep = keep, .e = e};
    struct clip_text *t;

    if (clip_check_text(config, e) < 0 || !(t = bind_take(&b, 1, sizeof *t)))
        return NULL;
    *t = (struct clip_text){k, g->context, g->vocab, g->width, g->embed, g->eps, g->eos, .position = NULL};
    t->token = bind_rows(&b, names->text.token, g->vocab, g->width);
    t->position = bind_table(&b, names->text.position, g->context, g->width);
    transformer_bind(&t->blocks, &blocks, &names->layer, names->text.layers, &b);
    t->ln_final = bind_gain(&b, names->text.ln_final, g->width);
    clip_bind_projection(&b, &t->projection, names, names->text.projection, g->embed, g->width);
    clip_refuse_unused(&b, names, TOWER_TEXT);
    return b.bad ? NULL : t;
}

struct work {
    float *x, *pooled;       /* [rows, D], [n, D] */
    size_t *len, *row;       /* [n] */
    void *rest;
};

static struct work plan(const struct clip_text *t, const struct compute *c, size_t n, size_t rows,
                        size_t keys, struct scratch *s) {
    size_t size = transformer_scratch(&t->blocks, c, n, rows, keys);
    size_t proj = linear_scratch(&t->projection, c, n);
    struct work w;

    w.x = scratch_cut(s, rows * t->width, sizeof(float));
    w.pooled = scratch_cut(s, n * t->width, sizeof(float));
    w.len = scratch_cut(s, n, sizeof *w.len);
    w.row = scratch_cut(s, n, sizeof *w.row);
    w.rest = scratch_cut(s, size > proj ? size : proj, 1);
    return w;
}

enum { PASS_ROWS = 2048 };    /* the limit of vit_pass in lib/net/vit.c, for the same reason */

/* Returns the number of texts in a pass, if the longest has len tokens. */
static size_t per_pass(size_t n, size_t len) {
    size_t most = PASS_ROWS / len;

    return n < most ? n : most ? most : 1;
}

/* Returns the scratch that suffices for any n texts of at most len tokens each.  It is planned for the largest batch
 * that one forward pass can take, with the most texts and the most token rows. */
size_t clip_text_scratch(const struct clip_text *t, size_t n, size_t len) {
    struct scratch s = {0};
    size_t texts = n < PASS_ROWS ? n : PASS_ROWS, rows = len > PASS_ROWS ? len : PASS_ROWS;

    if (n == 0 || len == 0)
        return 0;
    if (n < rows / len)
        rows = n * len;
    plan(t, t->c, texts, rows, len, &s);
    return s.used;
}

/* Returns the position at which the text is pooled (clip_text_config.eos). */
static size_t end_of(const struct clip_text *t, const int *id, size_t n) {
    size_t at = 0;

    while (t->eos >= 0 && at + 1 < n && id[at] != t->eos)
        at++;
    if (t->eos >= 0)
        return at;
    for (size_t i = 1; i < n; i++)
        if (id[i] > id[at])
            at = i;
    return at;
}

static void embed_tokens(const struct clip_text *t, const int *id, size_t n, float *x) {
    size_t d = t->width;

    for (size_t i = 0; i < n; i++, x += d) {
        size_t row = (size_t)id[i];
        tensor_f32(&t->token, row * d, (row + 1) * d, x);
        for (size_t j = 0; j < d; j++)
            x[j] += t->position[i * d + j];
    }
}

static void pass(const struct clip_text *t, const struct compute *c, size_t n,
                 const int *const tokens[], const size_t len[], float *embed,
                 float *const states[], const struct work *w) {
    struct transformer_run r = {.n = n, .len = w->len, .x = w->x};
    size_t d = t->width, rows = 0;

    for (size_t i = 0; i < n; i++) {
        w->row[i] = end_of(t, tokens[i], len[i]);
        w->len[i] = states && states[i] ? len[i] : w->row[i] + 1;    /* causal: rows after row[i] do not change it */
        embed_tokens(t, tokens[i], w->len[i], w->x + rows * d);
        rows += w->len[i];
    }
    if (!states)
        r.row = w->row, r.y = w->pooled;
    transformer_run(&t->blocks, c, &r, w->rest);
    if (states)
        layer_norm(c, rows, d, w->x, d, t->ln_final.g, t->ln_final.b, t->eps, w->x, d);
    else
        layer_norm(c, n, d, w->pooled, d, t->ln_final.g, t->ln_final.b, t->eps, w->pooled, d);
    for (size_t i = 0, at = 0; states && i < n; at += w->len[i++]) {
        memcpy(w->pooled + i * d, w->x + (at + w->row[i]) * d, d * sizeof *w->x);
        if (states[i])
            memcpy(states[i], w->x + at * d, len[i] * d * sizeof *w->x);
    }
    linear_run(&t->projection, c, n, w->pooled, d, embed, t->embed, ACT_NONE, NULL, w->rest);
}

void clip_text_run(const struct clip_text *t, const struct compute *c, size_t n,
                   const int *const tokens[], const size_t len[], float *embed,
                   float *const states[], void *scratch) {
    size_t longest = 1, step;

    for (size_t i = 0; i < n; i++)
        longest = len[i] > longest ? len[i] : longest;
    step = per_pass(n, longest);
    for (size_t i = 0; i < n; i += step) {
        size_t m = n - i < step ? n - i : step;
        struct scratch s = {scratch, 0};
        struct work w = plan(t, c, m, m * longest, longest, &s);
        pass(t, c, m, tokens + i, len + i, embed + i * t->embed, states ? states + i : NULL, &w);
    }
}
