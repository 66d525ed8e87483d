/* What the samplers share: their params and the -n results of a record. */
#include "tools/common/samples.h"

#include <string.h>

#include "lib/kernel/kern.h"

int tool_noise_id(struct tool *t, struct record *r, struct err *e) {
    if (!t->noise.id)
        return 0;
    record_drop(r, "noise_sample");
    return record_set_text(r, "noise_id", span_of(t->noise.id), e);
}

void tool_params(const struct tool *t, struct mp *m) {
    mp_cstr(m, "version"), mp_cstr(m, UNCLIP_VERSION);
    mp_cstr(m, "kernel"), mp_cstr(m, t->compute.kern->name);
    mp_cstr(m, "precision"), mp_cstr(m, precision_name(t->compute.kern->precision));
    mp_cstr(m, "seed"), mp_int(m, t->noise.seed);
    mp_cstr(m, "rng"), mp_cstr(m, t->noise.rng ? "torch" : "unclip");
    if (t->model.activation)
        mp_cstr(m, "activation"), mp_cstr(m, t->model.activation == 1 ? "quick_gelu" : "gelu");
    if (t->noise.id)
        mp_cstr(m, "noise_id"), mp_text(m, t->noise.id, strlen(t->noise.id));
}

bool tool_samples_done(struct tool *t, const struct record *r, const struct sample *s, struct span params, struct span fp,
                       struct arena a) {
    size_t held = 0, n = (size_t)t->noise.n;

    for (int take = 0; t->output.skip_from && take <= (held == n); take++)
        for (size_t i = 0; i < n; i++) {
            struct arena b = a;
            struct err none = {0};
            struct resume_key k;
            struct record c;

            if (record_copy(&c, r, &b, &none) < 0 || sample_child(&c, s, i, n, &none) < 0)
                return false;
            k = resume_key(c.id, resume_stamp(&c), params, 1, &fp);
            if (take)
                resume_take(&t->output.resume, k);
            else
                held += resume_left(&t->output.resume, k) > 0;
        }
    t->skipped += held == n;
    return held == n;
}

int tool_sample(struct tool *t, struct record *child, const struct record *r, const struct sample *s, size_t i,
                struct span params, const char *field, struct span fp, struct arena *a, struct err *e) {
    if (record_copy(child, r, a, e) < 0 || sample_child(child, s, i, (size_t)t->noise.n, e) < 0)
        return -1;
    if (t->output.skip_from && resume_take(&t->output.resume, resume_key(child->id, resume_stamp(child), params, 1, &fp)))
        return 0;
    if (record_set_sub_text(child, "model", field, fp, e) < 0 || record_add_params(child, t->name, params, e) < 0)
        return -1;
    return 1;
}
