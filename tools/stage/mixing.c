#include "tools/stage/mixing.h"

#include <math.h>
#include <string.h>

#include "formats/record/params.h"
#include "formats/record/stream.h"
#include "lib/vector/mix.h"
#include "tools/stage/missing.h"

int mix_get(const struct record *r, const char *wanted, struct vector *out, struct arena *a, struct err *e) {
    int got = vector_floats(out, r, wanted ? wanted : "image_embed", a, e);

    if (!got && !wanted)
        got = vector_floats(out, r, "text_embed", a, e);
    if (got)
        return got;
    return wanted ? field_missing(r, wanted, e) : err_set(e, "neither image_embed nor text_embed (clip-embed makes them)");
}

int mix_fits(const struct vector *a, const struct vector *b, bool force, struct err *e) {
    if (a->d != b->d)
        return err_set(e, "vectors of %zu and of %zu", a->d, b->d);
    if (!force && vector_models_differ(a, b))
        return err_set(e, "vectors of different models, %.*s and %.*s (--force mixes them)", (int)a->model.n,
                       (const char *)a->model.p, (int)b->model.n, (const char *)b->model.p);
    return 0;
}

int mix_set(struct record *r, const char *field, const float *v, size_t d, struct err *e) {
    return record_set_tensor(r, field, DT_F32, v, 1, &d, e);
}

/* ---- what belongs to one text ---- */

static const char *const of_text[] = {"text_states", "tokens", "truncated", "text"};
enum { OF_TEXT = sizeof of_text / sizeof *of_text };

/* Drops the fields of_text[from ...]. */
static int drop(struct record *r, size_t from, struct err *e) {
    for (size_t i = from; i < OF_TEXT; i++)
        if (record_drop_made(r, of_text[i], e) < 0)
            return -1;
    return 0;
}

int mix_drop_text(struct record *r, struct err *e) {
    return drop(r, 0, e);
}

/* Gives `out` all that belongs to the text of b. */
static int take_text(struct record *out, const struct record *b, struct err *e) {
    for (size_t i = 0; i < OF_TEXT; i++) {
        struct span v, model;
        const bool has = record_raw(b, of_text[i], &v) > 0;
        const int made = record_sub_str(b, "model", of_text[i], &model, e);

        if (!has)
            record_drop(out, of_text[i]);
        if (made < 0 || (has && record_set_raw(out, of_text[i], v, e) < 0) ||
            (made ? record_set_sub_text(out, "model", of_text[i], model, e) : record_drop_sub(out, "model", of_text[i], e)) < 0)
            return -1;
    }
    return 0;
}

/* Sets w->states if the text_states of a and b have equal shapes. */
static int states_of(struct mix_way *w, const struct record *a, const struct record *b, struct arena *mem, struct err *e) {
    struct tensor s, t;
    size_t n;
    int p = record_tensor(a, "text_states", &s, e), q = record_tensor(b, "text_states", &t, e);

    if (p <= 0 || q <= 0)
        return p < 0 || q < 0 ? -1 : 0;
    if (s.nd != 2 || t.nd != 2 || s.shape[0] != t.shape[0] || s.shape[1] != t.shape[1])
        return 0;
    memcpy(w->shape, s.shape, sizeof w->shape);
    return record_numbers(a, "text_states", &w->states[0], &n, mem, e) < 0 ||
           record_numbers(b, "text_states", &w->states[1], &n, mem, e) < 0 ? -1 : 0;
}

/* Makes what belongs to the text of `out`, a copy of w->a, that of a text which lies at t between the two texts. */
static int text_between(struct record *out, const struct mix_way *w, double t, struct arena *mem, struct err *e) {
    size_t n = w->shape[0] * w->shape[1];
    float *s;

    if (t == 0)
        return 0;
    if (t == 1)
        return take_text(out, w->other, e);
    if (!w->states[0])
        return mix_drop_text(out, e);
    if (drop(out, 1, e) < 0)    /* all except of_text[0], text_states */
        return -1;
    if (!(s = arena_take(mem, n, sizeof *s)))
        return err_set(e, "out of memory");
    mix_lerp(w->states[0], w->states[1], t, n, s);
    return record_set_tensor(out, "text_states", DT_F32, s, 2, w->shape, e);
}

/* ---- between two records ---- */

/* Returns 0 if the noises of the records a and b have equal timesteps, else -1: the noises then cannot be mixed. */
static int same_timesteps(const struct record *a, const struct record *b, struct err *e) {
    struct span x, y;
    int p = params_get(a, "ddim-invert", "timesteps", &x), q = params_get(b, "ddim-invert", "timesteps", &y);

    if (p != q || (p && !span_equal(x, y)))
        return err_set(e, "noises of different timesteps");
    return 0;
}

/* Reads the noises [3, S, S] of the records a and b as flat arrays *x and *y of *n values.  *ta receives the shape.
 * Returns 1, or 0 if one of the records has no noise, or -1 for an error. */
static int noises(const struct record *a, const struct record *b, struct tensor *ta, const float **x, const float **y,
                  size_t *n, struct arena *mem, struct err *e) {
    struct tensor tb;
    int p = record_tensor(a, "noise", ta, e), q = record_tensor(b, "noise", &tb, e);

    if (p <= 0 || q <= 0)
        return p < 0 || q < 0 ? -1 : 0;
    if (ta->nd != 3 || tb.nd != 3 || ta->dtype != DT_F32 || tb.dtype != DT_F32 ||
        memcmp(ta->shape, tb.shape, 3 * sizeof *tb.shape))
        return err_set(e, "noises of different shapes");
    if (same_timesteps(a, b, e) < 0 || tensor_count(ta, n) < 0)
        return -1;
    *x = tensor_all_f32(ta, mem);
    *y = tensor_all_f32(&tb, mem);
    return *x && *y ? 1 : err_set(e, "out of memory");
}

static int between(bool lerp, const float *a, const float *b, double t, size_t d, float *out, struct err *e) {
    if (!lerp)
        return mix_slerp(a, b, t, d, out, e);
    if (t == 0 || t == 1)
        memcpy(out, t == 0 ? a : b, d * sizeof *out);
    else
        mix_lerp(a, b, t, d, out);
    return 0;
}

static bool is_text(const struct mix_way *w) {
    return w->other && !strcmp(w->from.field, "text_embed");
}

int mix_between(struct mix_way *w, const struct record *a, const struct record *b, const char *name, const char *wanted,
                bool force, struct arena *mem, struct err *e) {
    struct vector to;
    int got;

    *w = (struct mix_way){.a = a, .other = b};
    if (mix_get(a, wanted, &w->from, mem, e) < 0)
        return -1;
    got = vector_floats(&to, b, w->from.field, mem, e);
    if (got <= 0)
        return got < 0 ? -1 : err_set(e, "no %s in %s", w->from.field, name);
    w->to = vector_f32(&to);
    if (mix_fits(&w->from, &to, force, e) < 0 || (is_text(w) && states_of(w, a, b, mem, e) < 0))
        return -1;
    return sample_of(&w->sample, a, mem, e);
}

/* ---- along the difference of two texts ---- */

static int read_text(struct vector *v, struct origin_mark *by, const char *file, struct arena *keep, struct err *e) {
    struct err why = {0};
    struct record r;
    int got;

    if (stream_first(file, &r, keep, e) < 0)
        return -1;
    got = vector_floats(v, &r, "text_embed", keep, &why);
    if (got <= 0) {
        if (!got)
            field_missing(&r, "text_embed", &why);
        return err_at(e, file, &why);
    }
    *by = origin_mark(&r, "text_embed");
    return 0;
}

int mix_texts_read(struct mix_texts *t, const char *fresh, const char *old, bool force, struct arena *keep, struct err *e) {
    struct origin_mark unused;

    t->force = force;
    if (read_text(&t->fresh, &t->by, fresh, keep, e) < 0 || read_text(&t->old, &unused, old, keep, e) < 0)
        return -1;
    return mix_fits(&t->fresh, &t->old, force, e);
}

/* Returns 0, or -1 if `image`, the image_embed of a, is known to be of another CLIP than the texts. */
static int same_clip(const struct record *a, const struct vector *image, const struct mix_texts *t, struct arena *mem, struct err *e) {
    struct origin_mark of = origin_mark(a, "image_embed");
    struct vector text;
    int got;

    if (of.fingerprint.n)
        return of.scaled && t->by.scaled ? mix_fits(image, &t->fresh, false, e) : 0;
    got = vector_floats(&text, a, "text_embed", mem, e);
    return got > 0 ? mix_fits(&text, &t->fresh, false, e) : got;
}

int mix_along(struct mix_way *w, const struct record *a, const struct mix_texts *t, struct arena *mem, struct err *e) {
    size_t d = t->fresh.d;
    float *to = arena_take(mem, d, sizeof *to);

    *w = (struct mix_way){.a = a, .to = to};
    if (!to)
        return err_set(e, "out of memory");
    if (mix_get(a, "image_embed", &w->from, mem, e) < 0)
        return -1;
    if (w->from.d != d)
        return err_set(e, "an image_embed of %zu, texts of %zu", w->from.d, d);
    if (!t->force && same_clip(a, &w->from, t, mem, e) < 0)
        return -1;
    if (mix_difference(vector_f32(&t->old), vector_f32(&t->fresh), vector_f32(&w->from), d, to, e) < 0)
        return -1;
    return sample_of(&w->sample, a, mem, e);
}

/* ---- frames ---- */

int mix_frame(struct record *out, const struct mix_way *w, bool lerp, size_t i, size_t n, double t, struct arena *mem,
              struct err *e) {
    size_t d = w->from.d, values;
    float *v = arena_take(mem, d, sizeof *v), *z;
    struct tensor shape;
    const float *x = NULL, *y = NULL;
    int got;

    if (!v)
        return err_set(e, "out of memory");
    if (record_copy(out, w->a, mem, e) < 0 || sample_child(out, &w->sample, i, n, e) < 0 ||
        between(lerp, vector_f32(&w->from), w->to, t, d, v, e) < 0 || mix_set(out, w->from.field, v, d, e) < 0 ||
        record_set_float(out, "theta", t, e) < 0)
        return -1;
    if (is_text(w) && text_between(out, w, t, mem, e) < 0)
        return -1;
    if (sample_share_noise(out, &w->sample, e) < 0)
        return -1;
    got = w->other ? noises(w->a, w->other, &shape, &x, &y, &values, mem, e) : 0;
    if (got <= 0)
        return got;
    z = arena_take(mem, values, sizeof *z);
    if (!z)
        return err_set(e, "out of memory");
    return between(lerp, x, y, t, values, z, e) < 0 ? -1 : record_set_tensor(out, "noise", DT_F32, z, 3, shape.shape, e);
}

/* ---- sums ---- */

/* Adds w v, or, if `raw` is false, w v / |v|, to `sum`. */
static int add(const struct vector *v, double w, bool raw, double *sum, struct err *e) {
    const float *x = vector_f32(v);
    double sq = 0;

    for (size_t i = 0; i < v->d; i++)
        sq += (double)x[i] * (double)x[i];
    if (!(sq > 0))
        return err_set(e, "a vector of zeros has no direction");
    w = raw ? w : w / sqrt(sq);
    for (size_t i = 0; i < v->d; i++)
        sum[i] += w * (double)x[i];
    return 0;
}

int mix_total_add(struct mix_total *t, const struct record *r, const char *wanted, double weight, struct arena *keep,
                  struct arena scratch, struct err *e) {
    struct vector v;

    if (mix_get(r, wanted, &v, &scratch, e) < 0)
        return -1;
    if (!t->sum) {
        t->like = (struct vector){.field = v.field, .d = v.d, .model = arena_span(keep, v.model)};
        t->sum = arena_zero(keep, v.d, sizeof *t->sum);
        if (!t->sum || !t->like.model.p)
            return err_set(e, "out of memory");
    }
    if (mix_fits(&t->like, &v, t->force, e) < 0 || add(&v, weight, t->raw, t->sum, e) < 0)
        return -1;
    t->n++;
    return 0;
}

int mix_total_record(struct record *out, const struct mix_total *t, const char *id, double scale, struct arena *a,
                     struct err *e) {
    float *v = arena_take(a, t->like.d, sizeof *v);

    if (!v)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < t->like.d; i++)
        v[i] = (float)(t->sum[i] * scale);
    if (record_new(out, span_of(id), false, a, e) < 0 || mix_set(out, t->like.field, v, t->like.d, e) < 0)
        return -1;
    return t->like.model.n ? record_set_sub_text(out, "model", t->like.field, t->like.model, e) : 0;
}

int mix_params(struct span *out, const struct mix_options *o, struct arena *a, struct err *e) {
    const struct { const char *name, *text; } given[] = {
        {"field", o->field}, {"pca", o->pca}, {"new", o->fresh}, {"old", o->old},
    };
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    mp_cstr(&m, "version"), mp_cstr(&m, UNCLIP_VERSION);
    mp_cstr(&m, "mode"), mp_cstr(&m, o->mode);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].text)
            mp_cstr(&m, given[i].name), mp_text(&m, given[i].text, strlen(given[i].text));
    if (o->n) {
        mp_cstr(&m, "steps"), mp_array(&m, o->n);
        for (size_t i = 0; i < o->n; i++)
            mp_float(&m, o->step[i]);
    }
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}
