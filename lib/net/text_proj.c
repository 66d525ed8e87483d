#include "lib/net/text_proj.h"

#include "lib/base/scratch.h"
#include "lib/layer/norm.h"

static const float eps = 1e-5f;

enum { MOST_WIDTH = 1 << 16 };

static const struct tensor *shape_of(const struct weights *ws, const char *name, int nd) {
    const struct weight *w = weights_find(ws, name);

    return w && w->t.nd == nd ? &w->t : NULL;
}

int text_proj_config_from_weights(struct text_proj_config *g, const struct weights *ws, struct err *e) {
    const struct tensor *text = shape_of(ws, "embedding_proj.weight", 2);
    const struct tensor *states = shape_of(ws, "encoder_hidden_states_proj.weight", 2);
    const struct tensor *extra = shape_of(ws, "clip_extra_context_tokens_proj.weight", 2);

    if (!text || !states || !extra)
        return err_set(e, "not a text_proj: embedding_proj, encoder_hidden_states_proj or "
                          "clip_extra_context_tokens_proj is missing");
    *g = (struct text_proj_config){text->shape[1], states->shape[1], text->shape[0],
                                   states->shape[0], 0};
    if (!g->cross || extra->shape[0] % g->cross)
        return err_set(e, "tensor clip_extra_context_tokens_proj.weight has %zu rows, expected a "
                          "multiple of %zu", extra->shape[0], g->cross);
    g->extra = extra->shape[0] / g->cross;
    return 0;
}

int text_proj_bind(struct text_proj *p, const struct text_proj_config *g, const struct weights *ws,
                   const struct compute *c, struct arena *keep, struct err *e) {
    struct bind b = {.ws = ws, .c = c, .keep = keep, .e = e};

    if (!g->embed || !g->states || !g->time || !g->cross || !g->extra || g->embed > MOST_WIDTH ||
        g->states > MOST_WIDTH || g->time > MOST_WIDTH || g->cross > MOST_WIDTH || g->extra > MOST_WIDTH)
        return err_set(e, "text_proj of embedding %zu, states %zu, time %zu, context %zu x %zu is out "
                          "of range", g->embed, g->states, g->time, g->extra, g->cross);
    p->config = *g;
    p->no_image = bind_floats(&b, "learned_classifier_free_guidance_embeddings", g->embed);
    bind_linear(&b, &p->text, "embedding_proj", g->time, g->embed);
    bind_linear(&b, &p->image, "clip_image_embeddings_project_to_time_embeddings", g->time, g->embed);
    bind_linear(&b, &p->extra, "clip_extra_context_tokens_proj", g->extra * g->cross, g->embed);
    bind_linear(&b, &p->states, "encoder_hidden_states_proj", g->cross, g->states);
    p->norm = bind_gain(&b, "text_encoder_hidden_states_norm", g->cross);
    bind_refuse_unused(&b, "text_proj");
    return b.bad ? -1 : 0;
}

struct work {
    float *extra;    /* [extra * C] */
    void *rest;
};

static struct work plan(const struct text_proj *p, const struct compute *c, size_t n, struct scratch *s) {
    size_t rest = size_max(linear_scratch(&p->extra, c, 1), linear_scratch(&p->states, c, n));
    struct work w;

    rest = size_max(rest, linear_scratch(&p->text, c, 1));
    rest = size_max(rest, linear_scratch(&p->image, c, 1));
    w.extra = scratch_cut(s, p->config.extra * p->config.cross, sizeof(float));
    w.rest = scratch_cut(s, rest, 1);
    return w;
}

size_t text_proj_scratch(const struct text_proj *p, const struct compute *c, size_t n) {
    struct scratch s = {0};

    plan(p, c, n, &s);
    return s.used;
}

void text_proj_run(const struct text_proj *p, const struct compute *c, const float *image,
                   const float *text, size_t n, const float *states, float *time, float *context,
                   void *scratch) {
    struct scratch s = {scratch, 0};
    struct work w = plan(p, c, n, &s);
    const struct text_proj_config *g = &p->config;
    float *rows = context + g->extra * g->cross;

    if (!image)
        image = p->no_image;
    linear_run(&p->text, c, 1, text, g->embed, time, g->time, ACT_NONE, NULL, w.rest);
    linear_run(&p->image, c, 1, image, g->embed, time, g->time, ACT_NONE, time, w.rest);
    linear_run(&p->extra, c, 1, image, g->embed, w.extra, g->extra * g->cross, ACT_NONE, NULL, w.rest);
    for (size_t j = 0; j < g->extra; j++)
        for (size_t i = 0; i < g->cross; i++)
            context[j * g->cross + i] = w.extra[i * g->extra + j];
    linear_run(&p->states, c, n, states, g->states, rows, g->cross, ACT_NONE, NULL, w.rest);
    layer_norm(c, n, g->cross, rows, g->cross, p->norm.g, p->norm.b, eps, rows, g->cross);
}
