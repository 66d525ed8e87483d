#include "tools/stage/probe_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "formats/record/mp.h"

enum { MATRIX_MAX = 12, PAIRS = 20, NAME = 200 };

__attribute__((format(printf, 2, 3)))
static void say(struct mp *out, const char *fmt, ...) {
    char line[1024];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n > 0)
        mp_raw(out, span_bytes(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1));
}

/* Copies at most NAME bytes of a label into buf and returns buf.  Control characters become "?", for terminals. */
static const char *name(struct span s, char buf[NAME + 1]) {
    size_t n = s.n < NAME ? s.n : NAME;

    for (size_t i = 0; i < n; i++)
        buf[i] = s.p[i] < 32 || s.p[i] == 127 ? '?' : (char)s.p[i];
    buf[n] = 0;
    return buf;
}

struct class_sums {
    size_t n, taken, right;
};

static struct class_sums *sums(const size_t *m, size_t classes, struct arena *a) {
    struct class_sums *v = arena_zero(a, classes, sizeof *v);

    for (size_t i = 0; v && i < classes; i++)
        for (size_t j = 0; j < classes; j++) {
            v[i].n += m[i * classes + j];
            v[j].taken += m[i * classes + j];
            v[i].right += i == j ? m[i * classes + j] : 0;
        }
    return v;
}

static double share(size_t part, size_t all) {
    return all ? (double)part / (double)all : 0;
}

/* ---- text ---- */

struct mistake {
    size_t n, is, taken;
};

static int by_number(const void *a, const void *b) {
    const struct mistake *x = a, *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->is != y->is ? (x->is < y->is ? -1 : 1) : x->taken < y->taken ? -1 : x->taken > y->taken;
}

/* Writes the pairs of classes that are mistaken for each other most often.  v has room for p->held elements. */
static void mistakes(struct mp *out, const struct probe_fit *p, const size_t *m, struct mistake *v) {
    const size_t classes = p->x->classes;
    size_t n = 0;
    char is[NAME + 1], taken[NAME + 1];

    for (size_t i = 0; i < classes; i++)
        for (size_t j = 0; j < classes; j++)
            if (i != j && m[i * classes + j])
                v[n++] = (struct mistake){m[i * classes + j], i, j};
    qsort(v, n, sizeof *v, by_number);
    say(out, "\nmistaken most often%s\n", n ? "" : ": nothing");
    for (size_t i = 0; i < n && i < PAIRS; i++)
        say(out, "%6zu  %s taken for %s\n", v[i].n, name(p->x->label[v[i].is], is), name(p->x->label[v[i].taken], taken));
}

static void matrix(struct mp *out, const struct probe_fit *p, const size_t *m) {
    const size_t classes = p->x->classes;
    char buf[NAME + 1];

    say(out, "\nrows: what it is; columns: what it was taken for\n");
    for (size_t i = 0; i < classes; i++) {
        for (size_t j = 0; j < classes; j++)
            say(out, "%6zu", m[i * classes + j]);
        say(out, "  %s\n", name(p->x->label[i], buf));
    }
}

static void text(struct mp *out, const struct probe_fit *p, const size_t *m, const struct class_sums *v,
                 struct mistake *room) {
    char buf[NAME + 1];

    if (p->folds)
        say(out, "held out: %zu vectors in %zu folds\n", p->held, p->folds);
    else
        say(out, "held out: %zu of %zu vectors\n", p->held, p->x->n);
    say(out, "accuracy %.4f, cross entropy %.4f, calibration error %.4f", p->accuracy, p->cross_entropy, p->error);
    if (p->calibrate)
        say(out, ", %.4f at temperature %.4f", p->error_after, p->temperature);
    say(out, "\n");
    if (p->sweep) {
        say(out, "\n         C  accuracy  cross entropy\n");
        for (size_t i = 0; i < p->swept.n; i++)
            say(out, "%10.3g  %8.4f  %13.4f%s\n", p->swept.fit[i].c, p->swept.fit[i].accuracy, p->swept.fit[i].cross_entropy,
                i == p->swept.best ? "  best" : "");
    }
    say(out, "\n     n  precision  recall  class\n");
    for (size_t i = 0; i < p->x->classes; i++)
        say(out, "%6zu  %9.4f  %6.4f  %s\n", v[i].n, share(v[i].right, v[i].taken), share(v[i].right, v[i].n),
            name(p->x->label[i], buf));
    if (p->x->classes <= MATRIX_MAX)
        matrix(out, p, m);
    mistakes(out, p, m, room);
}

/* ---- JSON ---- */

static json_t *class_json(const struct probe_fit *p, const struct class_sums *v, size_t i) {
    return json_pack("{s:o, s:I, s:f, s:f}", "label",
                     json_stringn((const char *)p->x->label[i].p, p->x->label[i].n), "n", (json_int_t)v[i].n,
                     "precision", share(v[i].right, v[i].taken), "recall", share(v[i].right, v[i].n));
}

static int json(struct mp *out, const struct probe_fit *p, const size_t *m, const struct class_sums *v, struct err *e) {
    const size_t classes = p->x->classes;
    json_t *list = json_array(), *confusion = json_array(), *sweep = json_array(), *o;
    char *s = NULL;

    for (size_t i = 0; i < classes; i++) {
        json_t *row = json_array();

        for (size_t j = 0; j < classes; j++)
            json_array_append_new(row, json_integer((json_int_t)m[i * classes + j]));
        json_array_append_new(confusion, row);
        json_array_append_new(list, class_json(p, v, i));
    }
    for (size_t i = 0; p->sweep && i < p->swept.n; i++)
        json_array_append_new(sweep, json_pack("{s:f, s:f, s:f}", "C", p->swept.fit[i].c, "accuracy",
                                               p->swept.fit[i].accuracy, "cross_entropy", p->swept.fit[i].cross_entropy));
    o = json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "vectors", (json_int_t)p->x->n, "held_out",
                  (json_int_t)p->held, "folds", (json_int_t)p->folds, "C", p->c, "accuracy", p->accuracy,
                  "cross_entropy", p->cross_entropy, "calibration_error", p->error, "calibration_error_after",
                  p->error_after, "temperature", p->temperature, "classes", list, "confusion", confusion, "sweep", sweep);
    s = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!s)
        return err_set(e, "no memory for the report");
    mp_raw(out, span_of(s));
    say(out, "\n");
    free(s);
    return 0;
}

int probe_report(struct span *out, const struct probe_fit *p, bool as_json, struct arena *a, struct err *e) {
    size_t *m = probe_confusion(p, a);
    struct class_sums *v = m ? sums(m, p->x->classes, a) : NULL;
    struct mistake *room = arena_take(a, p->held, sizeof *room);
    struct mp r;

    if (!v || !room)
        return err_set(e, "no memory for %zu classes", p->x->classes);
    mp_open(&r, a);
    if (as_json) {
        if (json(&r, p, m, v, e) < 0)
            return -1;
    } else {
        text(&r, p, m, v, room);
    }
    *out = mp_span(&r);
    return r.full ? err_set(e, "no memory for the report") : 0;
}
