#include "tools/stage/result.h"

#include <string.h>

static int set_one(struct record *r, const struct result *v, struct err *e) {
    if (record_set_float(r, "cos", v->cos, e) < 0 || record_set_float(r, "logit", v->logit, e) < 0 ||
        (v->prob >= 0 && record_set_float(r, "prob", v->prob, e) < 0) ||
        (v->label.p && record_set_text(r, "label", v->label, e) < 0) ||
        (v->rank && record_set_int(r, "rank", v->rank, e) < 0))
        return -1;
    return 0;
}

static int set_list(struct record *r, const struct result *v, size_t n, struct arena *a,
                    struct err *e) {
    double *f = arena_take(a, 3 * n, sizeof *f);
    struct span *label = arena_take(a, n, sizeof *label);

    if (!f || !label)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < n; i++) {
        f[i] = v[i].cos, f[n + i] = v[i].logit, f[2 * n + i] = v[i].prob;
        label[i] = v[i].label;
    }
    if (record_set_floats(r, "cos", f, n, e) < 0 || record_set_floats(r, "logit", f + n, n, e) < 0 ||
        record_set_floats(r, "prob", f + 2 * n, n, e) < 0 ||
        record_set_texts(r, "label", label, n, e) < 0)
        return -1;
    return 0;
}

int result_set(struct record *r, enum result_kind kind, const struct result *v, size_t n,
               bool list, struct arena *a, struct err *e) {
    if (kind == RESULT_MATCH || kind == RESULT_LABEL)
        record_drop(r, "rank");
    if (kind == RESULT_MATCH || kind == RESULT_BEST)
        record_drop(r, "prob");
    return list ? set_list(r, v, n, a, e) : set_one(r, v, e);
}

int result_fits(const struct record *r, enum result_kind kind, struct err *e) {
    size_t n, fields = r->nfield + !record_has(r, "params");
    const char *const *name = result_columns(kind, &n);
    struct mp_item it;
    struct span params;

    if (record_raw(r, "params", &params) > 0 && (mp_item(params.p, params.n, &it) != 1 || it.kind != MP_ARRAY))
        return err_set(e, "field params is not an array");
    for (size_t i = 0; i < n; i++)
        fields += strcmp(name[i], "id") != 0 && strcmp(name[i], "root") != 0 && !record_has(r, name[i]);
    return fields <= RECORD_FIELDS ? 0 : err_set(e, "with the result it has more than %d fields", RECORD_FIELDS);
}

const char *const *result_columns(enum result_kind kind, size_t *n) {
    static const char *const match[] = {"id", "cos", "logit"};
    static const char *const best[] = {"id", "cos", "logit", "rank"};
    static const char *const group[] = {"id", "root", "cos", "logit", "prob", "rank"};
    static const char *const label[] = {"id", "label", "cos", "logit", "prob", "rank"};
    static const char *const *const all[] = {match, best, group, label};
    static const size_t count[] = {3, 4, 6, 6};

    *n = count[kind];
    return all[kind];
}

/* Writes the field `name` of the record if it is a text, a number or a bool.  Otherwise, or if the record lacks the
 * field, writes an empty text. */
static void put_field(struct table *t, const struct record *r, const char *name) {
    struct span text = span_of("");
    struct mp_item it;
    struct span raw;
    double v;

    if (record_raw(r, name, &raw) <= 0 || mp_item(raw.p, raw.n, &it) != 1)
        it.kind = MP_NIL;
    if (it.kind == MP_INT)
        table_int(t, it.i);
    else if (it.kind == MP_BOOL)
        table_text(t, span_of(it.b ? "true" : "false"));
    else if (it.kind == MP_FLOAT && record_float(r, name, &v, NULL) > 0)
        table_number(t, v);
    else
        table_text(t, record_str(r, name, &text, NULL) > 0 ? text : span_of(""));
}

void result_rows(struct table *t, const struct record *r, const struct result *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < t->ncols; k++) {
            const char *name = t->name[k];

            if (!strcmp(name, "id"))
                table_text(t, r->id);
            else if (!strcmp(name, "root"))
                table_text(t, record_root(r));
            else if (!strcmp(name, "label") && v[i].label.p)
                table_text(t, v[i].label);
            else if (!strcmp(name, "cos"))
                table_number(t, v[i].cos);
            else if (!strcmp(name, "logit"))
                table_number(t, v[i].logit);
            else if (!strcmp(name, "prob") && v[i].prob >= 0)
                table_number(t, v[i].prob);
            else if (!strcmp(name, "rank") && v[i].rank)
                table_int(t, v[i].rank);
            else if (!strcmp(name, "prob") || !strcmp(name, "rank"))
                table_text(t, span_of(""));    /* not the record's field, which is of another run */
            else
                put_field(t, r, name);
        }
}
