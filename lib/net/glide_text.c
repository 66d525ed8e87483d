#include "lib/net/glide_text.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/layer/norm.h"

enum { MOST = 1 << 16, VOCAB_MOST = 1 << 22, LAYERS_MOST = 256 };

static const char BLOCKS[] = "transformer.resblocks.";
static const struct transformer_names NAMES = {.ln1 = "ln_1", .interleaved = "attn.c_qkv", .out = "attn.c_proj",
                                               .ln2 = "ln_2", .fc = "mlp.c_fc", .proj = "mlp.c_proj"};
static const float EPS = 1e-5f;

static const struct tensor *shape_of(const struct weights *ws, const char *name) {
    const struct weight *w = weights_find(ws, name);

    return w && w->t.nd == 2 ? &w->t : NULL;
}

int glide_text_config_from_weights(struct glide_text_config *c, const struct weights *ws, struct err *e) {
    const struct tensor *token = shape_of(ws, "token_embedding.weight"), *place = shape_of(ws, "positional_embedding");
    const struct tensor *time = shape_of(ws, "transformer_proj.weight");
    char name[64];

    if (!token || !place || !time)
        return err_set(e, "tensor %s is missing", !token ? "token_embedding.weight" : !place ? "positional_embedding"
                                                                                            : "transformer_proj.weight");
    *c = (struct glide_text_config){token->shape[0], place->shape[0], token->shape[1], 0, 64, time->shape[0]};
    for (; c->layers < LAYERS_MOST; c->layers++) {
        snprintf(name, sizeof name, "%s%zu.ln_1.weight", BLOCKS, c->layers);
        if (!weights_find(ws, name))
            break;
    }
    return 0;
}

static int check(const struct glide_text_config *c, struct err *e) {
    if (!c->vocab || c->vocab > VOCAB_MOST || !c->places || c->places > MOST || !c->width || c->width > MOST || !c->time ||
        c->time > MOST)
        return err_set(e, "a text transformer with %zu tokens, %zu places, %zu channels and times of %zu is out of range",
                       c->vocab, c->places, c->width, c->time);
    if (!c->layers)
        return err_set(e, "tensor %s0.ln_1.weight is missing", BLOCKS);
    if (!c->head || c->width % c->head)
        return err_set(e, "%zu channels do not fit heads of %zu", c->width, c->head);
    return 0;
}

int glide_text_bind(struct glide_text *t, const struct glide_text_config *c, const struct weights *ws,
                    const struct compute *k, struct arena *keep, struct err *e) {
    struct bind b = {.ws = ws, .c = k, .keep = keep, .e = e};
    const struct transformer_config g = {.layers = c->layers, .width = c->width, .heads = c->head ? c->width / c->head : 0,
                                         .mlp = 4 * c->width, .act = ACT_GELU, .eps = EPS, .causal = false};

    if (check(c, e) < 0)
        return -1;
    t->config = *c;
    t->token = bind_rows(&b, "token_embedding.weight", c->vocab, c->width);
    t->position = bind_table(&b, "positional_embedding", c->places, c->width);
    t->padding = bind_table(&b, "padding_embedding", c->places, c->width);
    transformer_bind(&t->transformer, &g, &NAMES, BLOCKS, &b);
    t->norm = bind_gain(&b, "final_ln", c->width);
    bind_linear(&b, &t->time, "transformer_proj", c->time, c->width);
    bind_refuse_unused(&b, "text transformer");
    return b.bad ? -1 : 0;
}

int glide_text_run(const struct glide_text *t, const struct compute *k, const int *ids, size_t n, float *context,
                   float *time, struct arena a, struct err *e) {
    const size_t l = t->config.places, d = t->config.width;
    const struct transformer_run r = {.n = 1, .len = &l, .x = context};
    void *scratch = arena_take(&a, size_max(transformer_scratch(&t->transformer, k, 1, l, l), linear_scratch(&t->time, k, 1)), 1);

    if (!scratch)
        return err_set(e, "out of memory");
    n = size_min(n, l);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= t->config.vocab)
            return err_set(e, "token %d, the text transformer has %zu", ids[i], t->config.vocab);
        tensor_f32(&t->token, (size_t)ids[i] * d, ((size_t)ids[i] + 1) * d, context + i * d);
        for (size_t j = 0; j < d; j++)
            context[i * d + j] += t->position[i * d + j];
    }
    memcpy(context + n * d, t->padding + n * d, (l - n) * d * sizeof *context);
    transformer_run(&t->transformer, k, &r, scratch);
    layer_norm(k, l, d, context, d, t->norm.g, t->norm.b, EPS, context, d);
    linear_run(&t->time, k, 1, context + (l - 1) * d, d, time, t->config.time, ACT_NONE, NULL, scratch);
    return 0;
}
