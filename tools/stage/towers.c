#include "tools/stage/towers.h"

static struct clip_model *open_model(struct towers *t, unsigned want, struct err *e) {
    struct clip_model *other = want == MODEL_TEXT ? t->vision_model : t->text_model, *m;

    if (other && other->config.has_text && other->config.has_vision)
        return other;
    m = arena_zero(t->keep, 1, sizeof *m);
    if (!m) {
        err_set(e, "out of memory");
        return NULL;
    }
    return model_open_clip(m, want, &t->paths, t->keep, e) < 0 ? NULL : m;
}

int towers_text(struct towers *t, struct err *e) {
    struct clip_model *m;

    if (t->text)
        return 0;
    if (!(m = open_model(t, MODEL_TEXT, e)))
        return -1;
    t->text = model_bind_text(m, t->paths.cache, t->compute, t->keep, e);
    if (!t->text)
        return -1;
    t->text_scratch = arena_take(t->keep, clip_text_scratch(t->text, t->batch, m->config.text.context), 1);
    t->text_model = m;
    return t->text_scratch ? 0 : err_set(e, "no memory for a batch of %zu texts", t->batch);
}

int towers_vision(struct towers *t, struct err *e) {
    struct clip_model *m;
    size_t s;

    if (t->vision)
        return 0;
    if (!(m = open_model(t, MODEL_VISION, e)))
        return -1;
    t->vision = model_bind_vision(m, t->paths.cache, t->compute, t->keep, e);
    if (!t->vision)
        return -1;
    s = m->prep.crop;
    t->vision_scratch = arena_take(t->keep, clip_image_scratch(t->vision, t->batch), 1);
    t->planes = arena_take(t->keep, t->batch, 3 * s * s * sizeof *t->planes);
    t->vision_model = m;
    return t->vision_scratch && t->planes ? 0
        : err_set(e, "no memory for a batch of %zu pictures", t->batch);
}

void towers_texts(const struct towers *t, size_t n, const int *const tokens[], const size_t len[],
                  float *embed, float *const states[]) {
    clip_text_run(t->text, t->compute, n, tokens, len, embed, states, t->text_scratch);
}

void towers_images(const struct towers *t, size_t n, const unsigned char *const crop[], float *embed,
                   float *features) {
    const struct prep *p = &t->vision_model->prep;

    for (size_t i = 0; i < n; i++)
        prep_planes(p, crop[i], t->planes + i * 3 * p->crop * p->crop);
    clip_image_run(t->vision, t->compute, n, t->planes, embed, features, t->vision_scratch);
}
