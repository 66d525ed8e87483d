#include "tools/stage/pca_record.h"

#include <string.h>

#include "formats/record/stream.h"

/* Copies the tensor in the field `key` of r into *v, in memory from the arena `keep`.  The tensor must be f32, finite
 * and not empty and have nd axes.  Returns 0, or -1 for an error. */
static int numbers(const struct record *r, const char *key, int nd, struct tensor *t, float **v, struct arena *keep,
                   struct err *e) {
    size_t n;
    float *x;

    if (record_tensor(r, key, t, e) <= 0 || t->nd != nd || t->dtype != DT_F32 || tensor_count(t, &n) < 0 || !n)
        return err_set(e, "no %s: not what pca-fit wrote", key);
    x = arena_take(keep, n, sizeof *x);
    if (!x)
        return err_set(e, "out of memory");
    tensor_f32(t, 0, n, x);
    for (size_t i = 0; i < n; i++)
        if (!(x[i] - x[i] == 0))
            return err_set(e, "field %s holds a number that is not finite", key);
    *v = x;
    return 0;
}

static int read_record(struct pca_record *p, const struct record *r, struct arena *keep, struct err *e) {
    struct tensor m, c;

    *p = (struct pca_record){.model = {NULL, 0}};
    if (numbers(r, "pca_mean", 1, &m, &p->p.mean, keep, e) < 0 ||
        numbers(r, "pca_components", 2, &c, &p->p.component, keep, e) < 0)
        return -1;
    if (c.shape[1] != m.shape[0])
        return err_set(e, "pca_components are %zu wide, pca_mean %zu", c.shape[1], m.shape[0]);
    p->p.d = m.shape[0];
    p->p.k = c.shape[0];
    return record_sub_str(r, "model", "pca_mean", &p->model, e) < 0 ? -1 : 0;
}

int pca_record_load(struct pca_record *p, const char *file, struct arena *keep, struct err *e) {
    struct record r;
    struct err why = {0};

    if (stream_first(file, &r, keep, e) < 0)
        return -1;
    return read_record(p, &r, keep, &why) < 0 ? err_at(e, file, &why) : 0;
}

int pca_rows_add(struct pca_rows *t, const struct record *r, const char *field, bool force, struct arena a, struct err *e) {
    struct vector v, like = {.d = t->d, .model = t->model};
    size_t row = t->d * sizeof *t->x;

    if (mix_get(r, field, &v, &a, e) < 0 || (t->n && mix_fits(&like, &v, force, e) < 0))
        return -1;
    if (!t->n) {
        t->d = v.d;
        row = t->d * sizeof *t->x;
        t->x = arena_take(&t->rows, t->d, sizeof *t->x);
        t->model = arena_span(&t->names, v.model);
        if (!t->x || !t->model.p)
            return err_set(e, "out of memory");
    } else if (arena_grow(&t->rows, t->x, t->n * row, (t->n + 1) * row) < 0) {
        return err_set(e, "out of memory");
    }
    memcpy(t->x + t->n++ * t->d, v.data, row);
    return 1;
}

int pca_rows_record(struct record *r, const struct pca_rows *t, size_t most, struct arena *a, struct err *e) {
    struct pca p;
    size_t shape[2];

    if (pca_fit(&p, t->x, t->n, t->d, most, a, e) < 0)
        return -1;
    shape[0] = p.k, shape[1] = p.d;
    if (record_new(r, SPAN("pca"), false, a, e) < 0 ||
        record_set_tensor(r, "pca_mean", DT_F32, p.mean, 1, shape + 1, e) < 0 ||
        record_set_tensor(r, "pca_components", DT_F32, p.component, 2, shape, e) < 0 ||
        record_set_tensor(r, "pca_variance", DT_F32, p.variance, 1, shape, e) < 0)
        return -1;
    return t->model.n ? record_set_sub_text(r, "model", "pca_mean", t->model, e) : 0;
}

int pca_apply(struct record *out, const struct record *r, const struct pca_job *j, size_t i, size_t n, size_t k,
              struct arena *a, struct err *e) {
    const struct pca *p = &j->p->p;
    struct vector v, like = {.d = p->d, .model = j->p->model};
    float *c = arena_take(a, p->k, sizeof *c), *x = arena_take(a, p->d, sizeof *x);
    struct sample s;

    if (!c || !x)
        return err_set(e, "out of memory");
    if (mix_get(r, j->field, &v, a, e) < 0 || mix_fits(&like, &v, j->force, e) < 0 || sample_of(&s, r, a, e) < 0 ||
        record_copy(out, r, a, e) < 0)
        return -1;
    k = k < p->k ? k : p->k;
    pca_project(p, vector_f32(&v), n ? k : p->k, c);
    if (!n)
        return record_set_tensor(out, "pca", DT_F32, c, 1, &p->k, e);
    pca_reconstruct(p, c, k, x);
    if (sample_child(out, &s, i, n, e) < 0 || mix_set(out, v.field, x, p->d, e) < 0 ||
        record_set_int(out, "components", (int64_t)k, e) < 0)
        return -1;
    if (!strcmp(v.field, "text_embed") && mix_drop_text(out, e) < 0)
        return -1;
    return sample_share_noise(out, &s, e);
}
