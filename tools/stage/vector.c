#include "tools/stage/vector.h"

#include <string.h>

#include "tools/stage/missing.h"

int vector_find(struct vector *v, const struct record *r, const char *field, struct arena *a,
                struct err *e) {
    struct tensor t;
    const float *f;
    int got;

    *v = (struct vector){.field = field};
    if (!field) {
        v->field = record_has(r, "image_embed") ? "image_embed" : "text_embed";
        if (!record_has(r, v->field))
            return err_set(e, "neither image_embed nor text_embed (clip-embed makes them)");
    }
    got = record_tensor(r, v->field, &t, e);
    if (got <= 0)
        return got < 0 ? -1 : field_missing(r, v->field, e);
    if (t.nd == 1 && (t.dtype == DT_F32 || t.dtype == DT_F16)) {
        v->dtype = t.dtype, v->d = t.shape[0], v->data = t.data;
    } else {
        if (record_floats(r, v->field, &f, &v->d, a, e) < 0)
            return -1;
        v->dtype = DT_F32, v->data = f;
    }
    if (v->d == 0)
        return err_set(e, "its %s is empty", v->field);
    return record_sub_str(r, "model", v->field, &v->model, e) < 0 ? -1 : 0;
}

int vector_floats(struct vector *v, const struct record *r, const char *field, struct arena *a,
                  struct err *e) {
    const float *f = NULL;
    int got;

    *v = (struct vector){.field = field, .dtype = DT_F32};
    got = record_floats(r, field, &f, &v->d, a, e);
    v->data = f;
    return got > 0 && record_sub_str(r, "model", field, &v->model, e) < 0 ? -1 : got;
}

bool vector_models_differ(const struct vector *v, const struct vector *q) {
    return v->model.n && q->model.n && !span_equal(v->model, q->model);
}

int vector_fits(const struct vector *v, const struct vector *q, bool joint, bool force,
                struct err *e) {
    if (v->d != q->d)
        return err_set(e, "its %s has %zu elements, the %s that it is compared with %zu", v->field,
                       v->d, q->field, q->d);
    if (force || (!joint && strcmp(v->field, q->field) != 0) || !vector_models_differ(v, q))
        return 0;
    return err_set(e, "its %s is of model %.*s, the %s that it is compared with of %.*s (--force)",
                   v->field, (int)(v->model.n < 40 ? v->model.n : 40), (const char *)v->model.p,
                   q->field, (int)(q->model.n < 40 ? q->model.n : 40), (const char *)q->model.p);
}
