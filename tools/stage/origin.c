#include "tools/stage/origin.h"

#include <math.h>

#include "formats/record/params.h"

struct origin_mark origin_mark(const struct record *r, const char *field) {
    struct origin_mark m = {.logit_scale = 0};
    struct span all, by_clip, by_prior;
    double scale;

    if (record_raw(r, "params", &all) <= 0 || mp_last_pair(all, "clip-embed", &by_clip) <= 0)
        return m;
    if (!strcmp(field, "image_embed") && mp_last_pair(all, "prior", &by_prior) > 0 && by_prior.p > by_clip.p)
        return m;
    if (record_sub_str(r, "model", field, &m.fingerprint, NULL) <= 0)
        m.fingerprint = (struct span){0};
    m.scaled = params_float(r, "clip-embed", "logit_scale", &scale) > 0 && scale > 0;
    m.logit_scale = m.scaled ? (float)log(scale) : 0;
    return m;
}

static struct clip_model *tower(unsigned which, const struct model_paths *p, struct arena *keep) {
    struct clip_model *m = arena_zero(keep, 1, sizeof *m);
    struct err none = {0};

    return m && model_open_clip(m, which, p, keep, &none) == 0 ? m : NULL;
}

void origin_open(struct origin *o, const struct model_paths *p, struct arena *keep) {
    if (!o->text)
        o->text = tower(MODEL_TEXT, p, keep);
    if (!o->vision)
        o->vision = o->text && o->text->config.has_vision ? o->text : tower(MODEL_VISION, p, keep);
}

enum model_origin origin_of(struct origin *o, const struct origin_mark *mark, const char *field, struct span *ours,
                            struct arena scratch) {
    const struct clip_model *m = strcmp(field, "image_embed") ? o->text : o->vision;
    enum model_origin got;

    if (!mark->fingerprint.n || !m)
        return ORIGIN_UNKNOWN;
    if (span_is(mark->fingerprint, o->same))
        return ORIGIN_SAME;
    got = model_origin(o->text, o->vision, mark->fingerprint, mark->scaled ? &mark->logit_scale : NULL, scratch);
    if (got == ORIGIN_SAME && mark->fingerprint.n < sizeof o->same) {
        memcpy(o->same, mark->fingerprint.p, mark->fingerprint.n);
        o->same[mark->fingerprint.n] = 0;
    }
    *ours = span_of(m->fingerprint);
    return got;
}
