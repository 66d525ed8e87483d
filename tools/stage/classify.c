#include "tools/stage/classify.h"

#include <math.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/probe/softmax.h"
#include "tools/stage/vector.h"

int classify_open(struct classify *c, struct arena *keep, struct err *e) {
    const size_t d = c->head ? head_in(&c->head->head) : c->near->f->d;

    if (c->head) {
        c->classes = c->head->classes;
        c->label = c->head->label;
        c->outputs = head_out(&c->head->head);
        if (!(c->scratch = arena_take(keep, head_scratch(&c->head->head), 1)))
            return err_set(e, "no memory for the head");
    } else {
        c->outputs = c->classes = c->near->f->classes;
        c->label = c->near->f->label;
    }
    c->k = size_min(c->k, size_max(c->classes, 1));
    c->x = arena_take(keep, d, sizeof *c->x);
    c->y = arena_take(keep, size_max(c->outputs, 2), sizeof *c->y);
    c->prob = arena_take(keep, size_max(c->classes, 2), sizeof *c->prob);
    c->verdict = arena_take(keep, c->k, sizeof *c->verdict);
    c->best = arena_take(keep, c->k, sizeof *c->best);
    if (!c->x || !c->y || !c->prob || !c->verdict || !c->best || topk_start(&c->top, c->k, keep) < 0)
        return err_set(e, "no memory for %zu classes", c->classes);
    return 0;
}

int classify_params(const struct classify *c, const char *hash, struct span *out, struct arena *a, struct err *e) {
    const struct neighbours *v = c->near;
    const char *kind = c->head ? "head" : v->text ? "tip" : "knn";
    const struct { const char *name, *text; } given[] = {
        {"normalise", c->normalise}, {"hidden", c->hidden}, {"labels_key", v && v->text ? v->text_key : NULL},
        {"precision", v ? v->text_precision : NULL},
    };
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    mp_cstr(&m, "version"), mp_cstr(&m, UNCLIP_VERSION);
    mp_cstr(&m, kind), mp_cstr(&m, hash);
    mp_cstr(&m, "field"), mp_cstr(&m, c->field);
    mp_cstr(&m, "k"), mp_int(&m, (int64_t)c->k);
    mp_cstr(&m, "temperature"), mp_float(&m, c->temperature);
    if (v && v->text) {
        mp_cstr(&m, "alpha"), mp_float(&m, v->alpha);
        mp_cstr(&m, "beta"), mp_float(&m, v->beta);
    } else if (v) {
        mp_cstr(&m, "neighbours"), mp_int(&m, (int64_t)v->k);
        mp_cstr(&m, "plain"), mp_bool(&m, v->plain);
    }
    if (c->min_prob >= 0)
        mp_cstr(&m, "min_prob"), mp_float(&m, c->min_prob);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].text)
            mp_cstr(&m, given[i].name), mp_cstr(&m, given[i].text);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

static int scores(struct classify *c, const struct vector *v, struct err *e) {
    int r;

    if (c->near) {
        r = neighbours_run(c->near, v->dtype, v->data, c->y);
        return r == SIM_OK ? 0 : err_set(e, "its %s %s", v->field, sim_reason(r));
    }

    struct tensor t = {.dtype = v->dtype, .nd = 1, .shape = {v->d}, .stride = {1}, .data = v->data};
    double square = 0;

    tensor_f32(&t, 0, v->d, c->x);
    for (size_t i = 0; i < v->d; i++)
        square += (double)c->x[i] * (double)c->x[i];
    if (!isfinite(square))
        return err_set(e, "its %s %s", v->field, sim_reason(SIM_NOT_FINITE));
    if (c->head->head.normalise && square == 0)
        return err_set(e, "its %s %s", v->field, sim_reason(SIM_ZERO));
    head_run(&c->head->head, c->sim, c->x, c->classes > 0, c->y, c->scratch);
    return 0;
}

/* Writes the probabilities of all classes into c->prob.  If one output stands for two classes, also writes the logits
 * of both into c->y.  One output may stand for a single class too: labelled vectors may have one label. */
static void probabilities(struct classify *c) {
    double sum = 0, t = c->temperature;

    if (c->outputs < c->classes) {
        c->y[1] = c->y[0];
        c->y[0] = -c->y[1];
        logreg_probabilities(&(double){c->y[1] / t}, 2, c->prob);
        return;
    }
    if (c->near && !c->near->text) {
        for (size_t i = 0; i < c->classes; i++)
            sum += c->y[i];
        for (size_t i = 0; i < c->classes; i++)
            c->prob[i] = c->y[i] / sum;
        return;
    }
    softmax(c->y, c->classes, t, c->prob);
}

int classify_run(struct classify *c, const struct record *r, struct arena scratch, struct err *e) {
    const size_t d = c->head ? head_in(&c->head->head) : c->near->f->d;
    struct vector v, want = {.field = c->field, .d = d, .model = c->model};

    if (vector_find(&v, r, c->field, &scratch, e) < 0)
        return -1;
    if (vector_fits(&v, &want, false, c->force, e) < 0)
        return -2;
    if (scores(c, &v, e) < 0)
        return -1;
    if (!c->classes) {
        if (c->outputs != 1)
            return err_set(e, "the head has %zu outputs and no labels for them", c->outputs);
        c->verdict[0] = (struct verdict){.logit = c->y[0]};
        return 1;
    }
    probabilities(c);
    topk_clear(&c->top);
    for (size_t i = 0; i < c->classes; i++)
        if (topk_accepts(&c->top, c->y[i]))
            c->best[topk_add(&c->top, c->y[i])] = i;
    topk_sort(&c->top);
    for (size_t i = 0; i < c->top.n; i++) {
        const size_t best = c->best[c->top.item[i].slot];

        c->verdict[i] = (struct verdict){c->label[best], c->prob[best], c->y[best]};
    }
    return (int)c->top.n;
}

int classify_set(const struct classify *c, struct record *r, size_t n, struct arena *a, struct err *e) {
    const struct verdict *v = c->verdict;
    double *f = arena_take(a, 2 * n, sizeof *f);
    struct span *label = arena_take(a, n, sizeof *label);

    if (!f || !label)
        return err_set(e, "out of memory");
    if (!c->classes)
        return record_set_float(r, "score", v->logit, e);
    record_drop(r, "cos");
    record_drop(r, "rank");
    if (c->k == 1)
        return record_set_text(r, "label", v->label, e) < 0 || record_set_float(r, "prob", v->prob, e) < 0
                   ? -1
                   : record_set_float(r, "logit", v->logit, e);
    for (size_t i = 0; i < n; i++) {
        label[i] = v[i].label;
        f[i] = v[i].prob;
        f[n + i] = v[i].logit;
    }
    return record_set_texts(r, "label", label, n, e) < 0 || record_set_floats(r, "prob", f, n, e) < 0
               ? -1
               : record_set_floats(r, "logit", f + n, n, e);
}

const char *const *classify_columns(const struct classify *c, size_t *n) {
    static const char *const label[] = {"id", "label", "prob", "logit", "rank"}, *const score[] = {"id", "score"};

    *n = c->classes ? 5 : 2;
    return c->classes ? label : score;
}

void classify_rows(const struct classify *c, struct table *t, const struct record *r, size_t n) {
    struct span path;

    for (size_t i = 0; i < n; i++) {
        table_text(t, r->id);
        if (c->classes) {
            table_text(t, c->verdict[i].label);
            table_number(t, c->verdict[i].prob);
        }
        table_number(t, c->verdict[i].logit);
        if (c->classes)
            table_int(t, (int64_t)i + 1);
        if (t->col)    /* the row is not complete: the table has the last column `path` */
            table_text(t, record_str(r, "path", &path, NULL) > 0 ? path : span_of(""));
    }
}
