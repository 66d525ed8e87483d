/* Bind the towers of a CLIP through the cache of packed weights: model_bind_text and model_bind_vision of model.h. */
#include "formats/checkpoint/model.h"

struct binding {
    struct clip_model *m;
    const struct compute *c;
    struct clip_text *text;
    struct clip_vision *vision;
};

static int bind_text(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->text = clip_bind_text(&b->m->config, &b->m->weights, b->c, a, e);
    return b->text ? 0 : -1;
}

static int bind_vision(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->vision = clip_bind_vision(&b->m->config, &b->m->weights, b->c, a, e);
    return b->vision ? 0 : -1;
}

static int bind(struct binding *b, const char *part, struct pack_cache *k, struct arena *a, struct err *e,
                int (*fn)(void *, struct arena *, struct err *)) {
    struct clip_model *m = b->m;
    const struct pack_of what = {.part = part, .weights = &m->weights, .source = &m->mapped, .file = m->file,
                                 .fingerprint = m->fingerprint, .bind = fn, .ctx = b};
    int r = pack_cache_bind(k, &what, b->c->kern, a, e);

    weights_forget(&m->mapped);
    return r;
}

struct clip_text *model_bind_text(struct clip_model *m, struct pack_cache *k, const struct compute *c, struct arena *a,
                                  struct err *e) {
    struct binding b = {.m = m, .c = c};

    return bind(&b, "text", k, a, e, bind_text) < 0 ? NULL : b.text;
}

struct clip_vision *model_bind_vision(struct clip_model *m, struct pack_cache *k, const struct compute *c,
                                      struct arena *a, struct err *e) {
    struct binding b = {.m = m, .c = c};

    return bind(&b, "image", k, a, e, bind_vision) < 0 ? NULL : b.vision;
}
