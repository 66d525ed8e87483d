#include "tools/stage/probe_fit.h"

#include <string.h>

#include "formats/checkpoint/head_file.h"
#include "lib/probe/calibrate.h"

static const size_t BUDGET = (size_t)2 << 30;    /* bytes that logreg_open may take for the rows and their copies */

/* A selection of rows, with their classes and weights, and the fit on them. */
struct part {
    struct feature_view view;
    uint32_t *index;
    int32_t *y;
    float *weight;           /* NULL: all 1 */
    size_t n;
    struct logreg_problem problem;
    struct logreg *fit;
};

enum which { ALL, SEEN, HELD };

static bool is_held(const struct probe_fit *p, size_t i, size_t fold) {
    const uint64_t key = p->x->row[i].key;

    return p->folds ? key % p->folds == fold : (double)(key % 1000) < 1000 * p->validation;
}

static int select_rows(struct part *q, const struct probe_fit *p, enum which which, size_t fold, struct arena *a,
                       struct err *e) {
    const size_t n = p->x->n;

    *q = (struct part){.view.f = p->x};
    q->index = arena_take(a, n, sizeof *q->index);
    q->y = arena_take(a, n, sizeof *q->y);
    if (!q->index || !q->y)
        return err_set(e, "no memory for %zu rows", n);
    for (size_t i = 0; i < n; i++)
        if (which == ALL || is_held(p, i, fold) == (which == HELD)) {
            q->index[q->n] = (uint32_t)i;
            q->y[q->n++] = p->x->row[i].label;
        }
    q->view.index = q->index;
    if (!q->n)
        return err_set(e, "none of the %zu vectors is %s", n, which == HELD ? "held out" : "left to fit on");
    return 0;
}

/* Sets the weight of each row of class k to n / (K n_k), where K is the number of classes that occur. */
static int balance(struct part *q, size_t classes, struct arena *a, struct err *e) {
    size_t *count = arena_zero(a, classes, sizeof *count), there = 0;

    if (!(q->weight = arena_take(a, q->n, sizeof *q->weight)) || !count)
        return err_set(e, "no memory for %zu weights", q->n);
    for (size_t i = 0; i < q->n; i++)
        there += count[q->y[i]]++ == 0;
    for (size_t i = 0; i < q->n; i++)
        q->weight[i] = (float)((double)q->n / ((double)there * (double)count[q->y[i]]));
    return 0;
}

static int part_open(struct part *q, const struct probe_fit *p, struct arena *a, struct err *e) {
    if (p->balanced && balance(q, p->x->classes, a, e) < 0)
        return -1;
    q->problem = (struct logreg_problem){
        .x = {q->n, p->x->d, features_get, &q->view}, .y = q->y, .weight = q->weight, .classes = p->x->classes,
        .exact = p->exact, .budget = p->x->bounded ? 0 : BUDGET, .compute = p->compute,
    };
    return (q->fit = logreg_open(&q->problem, a, e)) ? 0 : -1;
}

static int fit(const struct probe_fit *p, const struct part *q, double c, double *theta, struct logreg_result *r,
               struct arena scratch, struct err *e) {
    return logreg_fit(q->fit, c, p->tol, p->max_iter, p->go_on, p->ctx, theta, r, scratch, e);
}

/* Writes the scores of every row of q into scores [n, k]. */
static int score(const struct probe_fit *p, const struct part *q, const double *theta, double *scores, struct arena scratch,
                 struct err *e) {
    float *x = arena_take(&scratch, p->x->d, sizeof *x);

    if (!x)
        return err_set(e, "no memory for a row");
    for (size_t i = 0; i < q->n; i++) {
        feature_row(p->x, q->index[i], x);
        logreg_scores(theta, p->k, p->x->d, x, scores + i * p->k);
    }
    return 0;
}

static void judge(const double *scores, const int32_t *y, size_t n, size_t k, size_t classes, double *accuracy,
                  double *cross_entropy) {
    size_t right = 0;

    *cross_entropy = 0;
    for (size_t i = 0; i < n; i++) {
        right += logreg_predict(scores + i * k, classes) == (size_t)y[i];
        *cross_entropy += logreg_cross_entropy(scores + i * k, classes, (size_t)y[i]) / (double)n;
    }
    *accuracy = (double)right / (double)n;
}

/* ---- the sweep ---- */

struct sweeping {
    struct probe_fit *p;
    struct part seen, held;
    double *theta, *scores;
    struct arena scratch;
};

static int try_c(void *ctx, struct sweep_fit *f, struct err *e) {
    struct sweeping *s = ctx;
    struct logreg_result r;

    if (fit(s->p, &s->seen, f->c, s->theta, &r, s->scratch, e) < 0 ||
        score(s->p, &s->held, s->theta, s->scores, s->scratch, e) < 0)
        return -1;
    judge(s->scores, s->held.y, s->held.n, s->p->k, s->p->x->classes, &f->accuracy, &f->cross_entropy);
    return 0;
}

static int sweep(struct probe_fit *p, struct arena a, struct err *e) {
    struct sweeping s = {.p = p};

    if (select_rows(&s.seen, p, SEEN, 0, &a, e) < 0 || select_rows(&s.held, p, HELD, 0, &a, e) < 0 ||
        part_open(&s.seen, p, &a, e) < 0)
        return -1;
    s.theta = arena_zero(&a, p->k * (p->x->d + 1), sizeof *s.theta);
    s.scores = arena_take(&a, s.held.n * p->k, sizeof *s.scores);
    if (!s.theta || !s.scores)
        return err_set(e, "no memory for the sweep");
    s.scratch = a;
    if (sweep_run(&p->swept, try_c, &s, e) < 0)
        return -1;
    p->c = p->swept.fit[p->swept.best].c;
    return 0;
}

/* ---- held-out rows ---- */

static int hold_out(struct probe_fit *p, struct arena *keep, struct err *e) {
    const size_t n = p->x->n, folds = p->folds ? p->folds : 1;
    int32_t *truth = arena_take(keep, n, sizeof *truth);
    double *scores = arena_take(keep, n * p->k, sizeof *scores);

    if (!truth || !scores)
        return err_set(e, "no memory for %zu predictions", n);
    for (size_t i = 0; i < folds; i++) {
        struct arena a = *keep;
        struct logreg_result r;
        struct part seen, held;
        double *theta;

        if (select_rows(&held, p, HELD, i, &a, e) < 0 || select_rows(&seen, p, SEEN, i, &a, e) < 0 ||
            part_open(&seen, p, &a, e) < 0)
            return -1;
        if (!(theta = arena_zero(&a, p->k * (p->x->d + 1), sizeof *theta)))
            return err_set(e, "no memory for a fit");
        if (fit(p, &seen, p->c, theta, &r, a, e) < 0 || score(p, &held, theta, scores + p->held * p->k, a, e) < 0)
            return -1;
        memcpy(truth + p->held, held.y, held.n * sizeof *truth);
        p->held += held.n;
    }
    p->truth = truth;
    p->scores = scores;
    judge(scores, truth, p->held, p->k, p->x->classes, &p->accuracy, &p->cross_entropy);
    p->error = calibrate_error(scores, p->held, p->k, truth, 1);
    if (p->calibrate)
        p->temperature = calibrate_temperature(scores, p->held, p->k, truth);
    p->error_after = calibrate_error(scores, p->held, p->k, truth, p->temperature);
    return 0;
}

size_t *probe_confusion(const struct probe_fit *p, struct arena *a) {
    const size_t classes = p->x->classes;
    size_t *m = arena_zero(a, classes * classes, sizeof *m);

    for (size_t i = 0; m && i < p->held; i++)
        m[(size_t)p->truth[i] * classes + logreg_predict(p->scores + i * p->k, classes)]++;
    return m;
}

int probe_fit_run(struct probe_fit *p, struct arena *keep, struct err *e) {
    struct part all;

    p->k = logreg_vectors(p->x->classes);
    p->temperature = 1;
    p->held = 0;
    if (p->x->classes < 2)
        return err_set(e, "%s, and a classifier needs two",
                       p->x->classes ? "all vectors have one label" : "no vector has a label");
    if (p->sweep && sweep(p, *keep, e) < 0)
        return -1;
    if ((p->hold_out || p->calibrate) && hold_out(p, keep, e) < 0)
        return -1;
    if (!(p->theta = arena_zero(keep, p->k * (p->x->d + 1), sizeof *p->theta)))
        return err_set(e, "no memory for the classifier");

    struct arena a = *keep;

    if (select_rows(&all, p, ALL, 0, &a, e) < 0 || part_open(&all, p, &a, e) < 0)
        return -1;
    return fit(p, &all, p->c, p->theta, &p->result, a, e);
}

int probe_fit_write(const char *path, const struct probe_fit *p, struct arena scratch, struct err *e) {
    const struct features *x = p->x;
    struct head_file f = {
        .classes = x->classes, .label = x->label, .pre_proj = !strcmp(x->field, "image_features"), .c = p->c,
        .temperature = p->temperature, .n_train = (double)x->n, .accuracy = p->held ? p->accuracy : -1,
    };

    f.head.normalise = x->normalise;
    if (x->model.n == 16)
        memcpy(f.model, x->model.p, 16);
    return head_file_write(path, &f, p->theta, p->k, x->d, scratch, e);
}
