#include "lib/net/bart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/attention.h"
#include "lib/layer/bind.h"
#include "lib/layer/cached_attention.h"
#include "lib/layer/norm.h"

static const float EPS = 1e-5f;

struct block {
    struct gain before, after;          /* the norms around an attention */
    struct linear q, kv, out;
};

struct glu {
    struct gain before, inside;
    struct linear gate, value, out;     /* fc0, fc1, fc2 */
};

struct layer {
    struct block self, cross;           /* cross: in the decoder only */
    struct glu glu;
};

struct half {
    struct tensor tokens;               /* [vocab, width], as it is stored */
    const float *positions;
    struct gain embedding, final;
    struct layer *layer;
    size_t layers, heads, ffn;
};

struct bart {
    struct bart_config c;
    struct half encoder, decoder;
    struct linear head;
};

const struct bart_config *bart_config_of(const struct bart *b) {
    return &b->c;
}

/* ---- binding ---- */

static const struct tensor *matrix(const struct weights *ws, const char *name) {
    const struct weight *w = weights_find(ws, name);

    return w && w->t.nd == 2 && w->t.shape[0] && w->t.shape[1] ? &w->t : NULL;
}

static size_t count_layers(const struct weights *ws) {
    char name[64];
    size_t n = 0;

    for (;; n++) {
        snprintf(name, sizeof name, "layers.%zu.glu.fc0.weight", n);
        if (!matrix(ws, name))
            return n;
    }
}

int bart_config_from_weights(struct bart_config *c, const struct weights *encoder, const struct weights *decoder,
                             struct err *e) {
    const struct tensor *text = matrix(encoder, "embed_tokens.weight"), *places = matrix(encoder, "embed_positions.weight");
    const struct tensor *codes = matrix(decoder, "embed_tokens.weight"), *grid = matrix(decoder, "embed_positions.weight");
    const struct tensor *fe = matrix(encoder, "layers.0.glu.fc0.weight"), *fd = matrix(decoder, "layers.0.glu.fc0.weight");

    if (!text || !places || !codes || !grid || !fe || !fd)
        return err_set(e, "the tensors are not those of DALL-E mini's encoder and decoder");
    if (text->shape[1] != codes->shape[1])
        return err_set(e, "the encoder has width %zu, but the decoder has width %zu", text->shape[1], codes->shape[1]);
    c->width = text->shape[1];
    c->text_vocab = text->shape[0];
    c->picture_vocab = codes->shape[0];
    c->text = places->shape[0];
    c->tokens = grid->shape[0];
    c->encoder_ffn = fe->shape[0];
    c->decoder_ffn = fd->shape[0];
    c->encoder_layers = count_layers(encoder);
    c->decoder_layers = count_layers(decoder);
    return 0;
}

/* Binds a norm.  If the file has no scale for this norm, the scale is 1. */
static struct gain bind_norm(struct bind *b, const char *name, size_t n) {
    struct gain g;
    float *ones;
    char base[200];

    snprintf(base, sizeof base, "%s", name);
    if (weights_find(b->ws, bind_name(b, "%s.weight", base)))
        return bind_gain(b, base, n);
    g.b = bind_floats(b, bind_name(b, "%s.bias", base), n);
    g.g = ones = bind_take(b, n, sizeof *ones);
    for (size_t i = 0; ones && i < n; i++)
        ones[i] = 1;
    return g;
}

static void bind_plain(struct bind *b, struct linear *l, const char *name, size_t n, size_t k) {
    struct tensor w = bind_matrix(b, name, n, k);

    bind_parts(b, l, 1, &w, NULL);
}

static void bind_block(struct bind *b, struct block *k, const char *at, const char *name, size_t d) {
    struct tensor w[2];

    k->before = bind_norm(b, bind_name(b, "%s.pre_%s_layer_norm", at, name), d);
    bind_plain(b, &k->q, bind_name(b, "%s.%s.q_proj.weight", at, name), d, d);
    w[0] = bind_matrix(b, bind_name(b, "%s.%s.k_proj.weight", at, name), d, d);
    w[1] = bind_matrix(b, bind_name(b, "%s.%s.v_proj.weight", at, name), d, d);
    bind_parts(b, &k->kv, 2, w, NULL);
    bind_plain(b, &k->out, bind_name(b, "%s.%s.out_proj.weight", at, name), d, d);
    k->after = bind_norm(b, bind_name(b, "%s.%s_layer_norm", at, name), d);
}

static void bind_half(struct bind *b, struct half *h, size_t vocab, size_t places, size_t d, bool cross) {
    h->tokens = bind_rows(b, "embed_tokens.weight", vocab, d);
    h->positions = bind_table(b, "embed_positions.weight", places, d);
    h->embedding = bind_norm(b, "layernorm_embedding", d);
    h->layer = bind_take(b, h->layers, sizeof *h->layer);
    for (size_t i = 0; i < h->layers && !b->bad; i++) {
        struct layer *l = &h->layer[i];
        char at[64];

        snprintf(at, sizeof at, "layers.%zu", i);
        bind_block(b, &l->self, at, "self_attn", d);
        if (cross)
            bind_block(b, &l->cross, at, "encoder_attn", d);
        l->glu.before = bind_norm(b, bind_name(b, "%s.glu.ln0", at), d);
        l->glu.inside = bind_norm(b, bind_name(b, "%s.glu.ln1", at), h->ffn);
        bind_plain(b, &l->glu.gate, bind_name(b, "%s.glu.fc0.weight", at), h->ffn, d);
        bind_plain(b, &l->glu.value, bind_name(b, "%s.glu.fc1.weight", at), h->ffn, d);
        bind_plain(b, &l->glu.out, bind_name(b, "%s.glu.fc2.weight", at), d, h->ffn);
    }
    h->final = bind_norm(b, "final_ln", d);
}

struct bart *bart_open(const struct bart_config *c, struct arena *keep, struct err *e) {
    struct bart *b = arena_take(keep, 1, sizeof *b);

    if (!b)
        return err_set(e, "out of memory for weights"), NULL;
    if (!c->encoder_heads || !c->decoder_heads || c->width % c->encoder_heads || c->width % c->decoder_heads)
        return err_set(e, "%zu and %zu heads do not divide a width of %zu", c->encoder_heads, c->decoder_heads, c->width), NULL;
    if (!c->encoder_layers || !c->decoder_layers || !c->codes || c->codes > c->picture_vocab || c->start >= c->picture_vocab)
        return err_set(e, "%zu codes and start token %zu do not fit a vocabulary of %zu, or layers are missing",
                       c->codes, c->start, c->picture_vocab), NULL;
    *b = (struct bart){.c = *c};
    b->encoder.layers = c->encoder_layers, b->encoder.heads = c->encoder_heads, b->encoder.ffn = c->encoder_ffn;
    b->decoder.layers = c->decoder_layers, b->decoder.heads = c->decoder_heads, b->decoder.ffn = c->decoder_ffn;
    return b;
}

int bart_bind_encoder(struct bart *b, const struct weights *ws, const struct compute *k, struct arena *keep, struct err *e) {
    struct bind be = {.ws = ws, .c = k, .keep = keep, .e = e};

    bind_half(&be, &b->encoder, b->c.text_vocab, b->c.text, b->c.width, false);
    bind_refuse_unused(&be, "DALL-E mini's encoder");
    return be.bad ? -1 : 0;
}

int bart_bind_decoder(struct bart *b, const struct weights *ws, const struct compute *k, struct arena *keep, struct err *e) {
    struct bind bd = {.ws = ws, .c = k, .keep = keep, .e = e};
    struct tensor head;

    bind_half(&bd, &b->decoder, b->c.picture_vocab, b->c.tokens, b->c.width, true);
    head = bind_matrix(&bd, "lm_head.weight", b->c.picture_vocab, b->c.width);
    if (!bd.bad) {
        head = tensor_rows(&head, 0, b->c.codes);
        bind_parts(&bd, &b->head, 1, &head, NULL);
    }
    bind_refuse_unused(&bd, "DALL-E mini's decoder");
    return bd.bad ? -1 : 0;
}

/* ---- sizes ---- */

size_t bart_prompt_floats(const struct bart *b, size_t n) {
    return b->c.decoder_layers * n * 2 * b->c.width;
}

size_t bart_candidate_floats(const struct bart *b) {
    return b->c.decoder_layers * b->c.tokens * 2 * b->c.width;
}

struct work {
    float *x, *h, *q, *kv, *gate, *value;
    struct attention_seq *seq;
    struct cached_query *query;
    void *rest;
};

static size_t most_scratch(const struct half *h, const struct compute *k, size_t rows) {
    const struct layer *l = &h->layer[0];
    size_t n = size_max(linear_scratch(&l->self.q, k, rows), linear_scratch(&l->self.kv, k, rows));

    n = size_max(n, linear_scratch(&l->glu.gate, k, rows));
    return size_max(n, linear_scratch(&l->glu.out, k, rows));
}

static struct attention attention_of(const struct bart *b) {
    size_t d = b->c.width / b->c.encoder_heads;

    return (struct attention){b->c.encoder_heads, d, 1 / sqrtf((float)d), false};
}

static struct work plan(const struct bart *b, const struct compute *k, size_t n, struct scratch *s) {
    const struct bart_config *c = &b->c;
    const size_t rows = size_max(n, c->text), ffn = size_max(c->encoder_ffn, c->decoder_ffn);
    const struct attention a = attention_of(b);
    size_t rest = size_max(most_scratch(&b->encoder, k, rows), most_scratch(&b->decoder, k, rows));
    struct work w;

    rest = size_max(rest, linear_scratch(&b->head, k, rows));
    rest = size_max(rest, attention_scratch(&a, k, c->text));
    rest = size_max(rest, cached_attention_scratch(c->decoder_heads, k, size_max(c->tokens, c->text)));
    w.x = scratch_cut(s, rows * c->width, sizeof(float));
    w.h = scratch_cut(s, rows * c->width, sizeof(float));
    w.q = scratch_cut(s, rows * c->width, sizeof(float));
    w.kv = scratch_cut(s, rows * 2 * c->width, sizeof(float));
    w.gate = scratch_cut(s, rows * ffn, sizeof(float));
    w.value = scratch_cut(s, rows * ffn, sizeof(float));
    w.seq = scratch_cut(s, 1, sizeof *w.seq);
    w.query = scratch_cut(s, n, sizeof *w.query);
    w.rest = scratch_cut(s, rest, 1);
    return w;
}

size_t bart_scratch(const struct bart *b, const struct compute *k, size_t n) {
    struct scratch s = {0};

    plan(b, k, n, &s);
    return s.used;
}

/* ---- running ---- */

/* Row i of x becomes the normalised sum of the embeddings of token `id` and of position `place`. */
static void embed(const struct half *h, const struct compute *k, size_t d, size_t i, int id, size_t place, float *x) {
    float *y = x + i * d;

    tensor_f32(&h->tokens, (size_t)id * d, ((size_t)id + 1) * d, y);
    k->kern->f32->axpy(d, 1, h->positions + place * d, y);
    layer_norm(k, 1, d, y, d, h->embedding.g, h->embedding.b, EPS, y, d);
}

/* Adds LN(out(q)) to x, where q is the result of an attention. */
static void add_attention(const struct compute *k, const struct block *t, size_t n, size_t d, const struct work *w) {
    linear_run(&t->out, k, n, w->q, d, w->h, d, ACT_NONE, NULL, w->rest);
    layer_norm(k, n, d, w->h, d, t->after.g, t->after.b, EPS, w->h, d);
    for (size_t i = 0; i < n; i++)
        k->kern->f32->axpy(d, 1, w->h + i * d, w->x + i * d);
}

static void add_glu(const struct compute *k, const struct glu *g, size_t n, size_t d, size_t f, const struct work *w) {
    layer_norm(k, n, d, w->x, d, g->before.g, g->before.b, EPS, w->h, d);
    linear_run(&g->gate, k, n, w->h, d, w->gate, f, ACT_GELU, NULL, w->rest);
    linear_run(&g->value, k, n, w->h, d, w->value, f, ACT_NONE, NULL, w->rest);
    for (size_t i = 0; i < n * f; i++)
        w->gate[i] *= w->value[i];
    layer_norm(k, n, f, w->gate, f, g->inside.g, g->inside.b, EPS, w->gate, f);
    linear_run(&g->out, k, n, w->gate, f, w->x, d, ACT_NONE, w->x, w->rest);
}

static void project(const struct compute *k, const struct block *t, size_t n, size_t d, const struct work *w) {
    layer_norm(k, n, d, w->x, d, t->before.g, t->before.b, EPS, w->h, d);
    linear_run(&t->q, k, n, w->h, d, w->q, d, ACT_NONE, NULL, w->rest);
}

void bart_encode(const struct bart *b, const struct compute *k, size_t n, const int ids[], float *prompt, float *states,
                 void *scratch) {
    const size_t d = b->c.width;
    const struct attention a = attention_of(b);
    struct scratch s = {scratch, 0};
    struct work w = plan(b, k, 1, &s);

    for (size_t i = 0; i < n; i++)
        embed(&b->encoder, k, d, i, ids[i], i, w.x);
    for (size_t i = 0; i < b->encoder.layers; i++) {
        const struct layer *l = &b->encoder.layer[i];

        project(k, &l->self, n, d, &w);
        linear_run(&l->self.kv, k, n, w.h, d, w.kv, 2 * d, ACT_NONE, NULL, w.rest);
        *w.seq = (struct attention_seq){.q = w.q, .o = w.q, .nq = n, .ldq = d, .ldo = d,
                                        .keys[1] = {w.kv, w.kv + d, n, 2 * d}};
        attention_run(&a, k, 1, w.seq, w.rest);
        add_attention(k, &l->self, n, d, &w);
        add_glu(k, &l->glu, n, d, b->encoder.ffn, &w);
    }
    layer_norm(k, n, d, w.x, d, b->encoder.final.g, b->encoder.final.b, EPS, w.x, d);
    if (states)
        memcpy(states, w.x, n * d * sizeof *states);
    for (size_t i = 0; i < b->decoder.layers; i++)
        linear_run(&b->decoder.layer[i].cross.kv, k, n, w.x, d, prompt + i * n * 2 * d, 2 * d, ACT_NONE, NULL, w.rest);
}

/* Returns the query of candidate i over `keys` rows at kv.  A row is a key, followed by its value. */
static struct cached_query query(const struct work *w, size_t d, size_t i, const float *kv, size_t keys) {
    return (struct cached_query){.q = w->q + i * d, .o = w->q + i * d, .runs = 1, .run = {{kv, kv + d, keys, 2 * d}}};
}

void bart_step(const struct bart *b, const struct compute *k, size_t at, size_t n, const struct bart_candidate c[],
               float *scores, void *scratch) {
    const size_t d = b->c.width, width = d / b->c.decoder_heads;
    const struct cached_attention a = {b->c.decoder_heads, width, 1 / sqrtf((float)width)};
    struct scratch s = {scratch, 0};
    const struct work buffers = plan(b, k, n, &s), *w = &buffers;

    for (size_t i = 0; i < n; i++)
        embed(&b->decoder, k, d, i, c[i].token, at, w->x);
    for (size_t i = 0; i < b->decoder.layers; i++) {
        const struct layer *l = &b->decoder.layer[i];

        project(k, &l->self, n, d, w);
        linear_run(&l->self.kv, k, n, w->h, d, w->kv, 2 * d, ACT_NONE, NULL, w->rest);
        for (size_t j = 0; j < n; j++) {
            float *cache = c[j].cache + i * b->c.tokens * 2 * d;

            memcpy(cache + at * 2 * d, w->kv + j * 2 * d, 2 * d * sizeof *cache);
            w->query[j] = query(w, d, j, cache, at + 1);
        }
        cached_attention_run(&a, k, n, w->query, w->rest);
        add_attention(k, &l->self, n, d, w);
        project(k, &l->cross, n, d, w);
        for (size_t j = 0; j < n; j++)
            w->query[j] = query(w, d, j, c[j].prompt + i * c[j].keys * 2 * d, c[j].keys);
        cached_attention_run(&a, k, n, w->query, w->rest);
        add_attention(k, &l->cross, n, d, w);
        add_glu(k, &l->glu, n, d, b->decoder.ffn, w);
    }
    layer_norm(k, n, d, w->x, d, b->decoder.final.g, b->decoder.final.b, EPS, w->x, d);
    linear_run(&b->head, k, n, w->x, d, scores, b->c.codes, ACT_NONE, NULL, w->rest);
}
