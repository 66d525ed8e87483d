/* threads */
/* Logistic regression, to its own tolerance, against the optima of tests/golden/probe, which scikit-learn and then
 * Newton's method found; the two ways of multiplying against each other; any number of threads against one;
 * the search for C. */
#include "lib/probe/logreg.h"

#include <stdint.h>

#include "formats/checkpoint/weights.h"
#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/kernel/kern.h"
#include "lib/probe/sweep.h"

#include "tests/kernels.h"
#include "tests/tap.h"

#define GOLD "tests/golden/probe/probe.safetensors"

static const struct tensor *gold(const struct weights *ws, const char *set, double c, const char *what) {
    char name[64];

    if (c > 0)
        snprintf(name, sizeof name, "%s.C%g.%s", set, c, what);
    else
        snprintf(name, sizeof name, "%s.%s", set, what);

    struct weight *w = weights_find(ws, name);

    if (!w)
        fprintf(stderr, "%s: no %s\n", GOLD, name), exit(1);
    return &w->t;
}

static double number(const struct tensor *t, size_t i) {
    double v;

    memcpy(&v, (const char *)t->data + i * sizeof v, sizeof v);
    return v;
}

struct matrix {
    const float *x;
    size_t d;
    bool copy;
};

static const float *get(void *ctx, size_t from, size_t n, float *room) {
    const struct matrix *m = ctx;

    if (!m->copy)
        return m->x + from * m->d;
    return memcpy(room, m->x + from * m->d, n * m->d * sizeof *room);
}

static void *must(void *p) {
    if (!p)
        fputs("out of memory\n", stderr), exit(1);
    return p;
}

struct want {
    const char *set;
    size_t classes;
    double c, objective, margin;
};

/* C, the objective J and the smallest margin of a test row, from tests/golden/probe/probe.json */
static const struct want wants[] = {
    {"gauss3", 3, 1e-6, 0.0001644106002375021, 0.0465}, {"gauss3", 3, 1e-3, 0.15823271255900465, 0.0006},
    {"gauss3", 3, 0.1, 7.484214701651801, 0.0170}, {"gauss3", 3, 0.316, 16.088285675019563, 0.0169},
    {"gauss3", 3, 1, 31.638382437942475, 0.0087}, {"gauss3", 3, 10, 90.4286847745986, 0.0476},
    {"gauss3", 3, 1000, 339.98729335233855, 0.0066},
    {"binary", 2, 1e-3, 0.04083435194606857, 0.0002}, {"binary", 2, 0.316, 5.418988113590036, 0.0281},
    {"binary", 2, 10, 41.65278584818446, 0.0304},
    {"photos30", 30, 0.01, 2.8804472490407433, 0.0007}, {"photos30", 30, 0.316, 25.547743252129713, 0.0060},
    {"photos30", 30, 10, 67.42348798457155, 0.0038},
};

static struct logreg_problem problem(const struct weights *ws, const struct want *w, struct matrix *m,
                                     const struct compute *c, struct arena *a) {
    const struct tensor *x = gold(ws, w->set, 0, "x"), *y = gold(ws, w->set, 0, "y");
    struct logreg_problem p = {.x = {x->shape[0], x->shape[1], get, m}, .classes = w->classes, .exact = -1,
                               .budget = (size_t)1 << 30, .compute = c};

    *m = (struct matrix){must((void *)(uintptr_t)tensor_all_f32(x, a)), x->shape[1], false};
    p.y = memcpy(must(arena_take(a, x->shape[0], 4)), y->data, 4 * x->shape[0]);
    return p;
}

static void golden(const struct weights *ws, const struct want *w, int exact, const struct compute *c, struct arena a) {
    struct matrix m;
    struct logreg_problem p = problem(ws, w, &m, c, &a);
    const size_t d = p.x.d, k = logreg_vectors(w->classes);
    const struct tensor *weight = gold(ws, w->set, w->c, "weight"), *bias = gold(ws, w->set, w->c, "bias"),
                        *prob = gold(ws, w->set, w->c, "prob_test"), *test = gold(ws, w->set, 0, "x_test");
    double *theta = must(arena_zero(&a, k * (d + 1), sizeof *theta)), diff = 0, norm = 0, off = 0, worst = 0;
    const float *x = tensor_all_f32(test, &a);
    const char *how = exact ? "f64" : "f32";
    struct err e = {0};
    struct logreg_result r;
    struct logreg *l;
    size_t wrong = 0;

    p.exact = exact;
    l = logreg_open(&p, &a, &e);
    if (!ok(l && logreg_fit(l, w->c, 0, 1000, NULL, NULL, theta, &r, a, &e) == 0, "%s C=%g %s: fits %s",
            w->set, w->c, how, e.msg))
        return;
    for (size_t j = 0; j < k; j++) {
        for (size_t i = 0; i < d; i++) {
            double want = number(weight, j * d + i), got = theta[j * (d + 1) + i];

            diff += (got - want) * (got - want);
            norm += want * want;
        }
        off = fmax(off, fabs(theta[j * (d + 1) + d] - number(bias, j)));
    }
    for (size_t i = 0; i < test->shape[0]; i++) {
        double s[32], q[32], top = -1, want = -1;
        size_t best = 0;

        logreg_scores(theta, k, d, x + i * d, s);
        logreg_probabilities(s, w->classes, q);
        for (size_t j = 0; j < w->classes; j++) {
            double g = number(prob, i * w->classes + j);

            worst = fmax(worst, fabs(q[j] - g));
            if (g > want)
                want = g, best = j;
            top = fmax(top, q[j]);
        }
        wrong += logreg_predict(s, w->classes) != best;
    }
    printf("# %s C=%g %s: %zu iterations, %zu gradients, gradient %.1e, J %.1e, weights %.1e, bias %.1e, prob %.1e\n",
           w->set, w->c, how, r.iterations, r.calls, r.gradient, fabs(r.objective / w->objective - 1),
           sqrt(diff / norm), off, worst);
    ok(r.converged, "%s C=%g %s: converged", w->set, w->c, how);
    if (w->classes == 30 && w->c < 1 && w->c > 0.1)
        ok(r.calls <= 30, "a preconditioner that knows each class's mean saves gradients: %zu", r.calls);
    ok(fabs(r.objective / w->objective - 1) <= (exact ? 2e-11 : 1e-7), "%s C=%g %s: objective", w->set, w->c, how);
    if (w->c <= 10)
        ok(sqrt(diff / norm) <= (exact ? 1e-5 : 1e-4), "%s C=%g %s: weights", w->set, w->c, how);
    ok(off <= (exact ? 5e-5 : 8e-4), "%s C=%g %s: biases", w->set, w->c, how);
    ok(worst <= (exact ? 2e-5 : w->c < 10 ? 2e-5 : 6e-4), "%s C=%g %s: probabilities", w->set, w->c, how);
    if (w->margin > 1e-3)
        ok(wrong == 0, "%s C=%g %s: predictions", w->set, w->c, how);
}

static float *random_rows(size_t n, size_t d, size_t classes, int32_t *y, struct arena *a) {
    float *x = must(arena_take(a, n * d, sizeof *x));
    unsigned long long s = 1;

    for (size_t i = 0; i < n; i++) {
        y[i] = (int32_t)(i * 7 % classes);
        for (size_t j = 0; j < d; j++) {
            s = s * 6364136223846793005ULL + 1442695040888963407ULL;
            x[i * d + j] = (float)((double)(s >> 11) * 0x1p-53) + (j % classes == (size_t)y[i] ? 0.25f : 0) + (j < 4);
        }
    }
    return x;
}

/* Rows of more than one block: packed once or each time, on one thread or three. */
static void same_bytes(const struct kern *kern, int exact, struct arena a) {
    enum { N = 9000, D = 24, K = 5 };
    int32_t *y = must(arena_take(&a, N, sizeof *y));
    struct matrix m = {random_rows(N, D, K, y, &a), D, true};
    double theta[2][K * (D + 1)];
    struct err e = {0};
    struct logreg_result r[2];

    for (int i = 0; i < 2; i++) {
        struct arena room = a;
        struct compute c = {kern, i ? pool_start(&room, 3, &e) : NULL};
        struct logreg_problem p = {.x = {N, D, get, &m}, .y = y, .classes = K, .exact = exact,
                                   .budget = i ? 0 : (size_t)1 << 30, .compute = &c};
        struct logreg *l = logreg_open(&p, &room, &e);

        memset(theta[i], 0, sizeof theta[i]);
        ok(l && logreg_fit(l, 0.316, 1e-7, 1000, NULL, NULL, theta[i], &r[i], room, &e) == 0, "fits %s", e.msg);
        if (c.pool)
            pool_stop(c.pool);
    }
    ok(!memcmp(theta[0], theta[1], sizeof theta[0]) && r[0].iterations == r[1].iterations,
       "%s %s: the same bytes from three threads and unpacked rows as from one and packed rows", kern->name,
       exact ? "f64" : "f32");
    ok(r[0].converged, "converged after %zu iterations", r[0].iterations);
}

/* A weight of 2 is a row that occurs twice. */
static void weighted(const struct compute *c, struct arena a) {
    enum { N = 60, D = 6, K = 3 };
    int32_t y[2 * N];
    float *x = random_rows(N, D, K, y, &a), *twice = must(arena_take(&a, 2 * N * D, sizeof *twice)), weight[N];
    double theta[2][K * (D + 1)] = {{0}};
    struct err e = {0};
    size_t n = 0;
    int32_t y2[2 * N];

    for (size_t i = 0; i < N; i++) {
        weight[i] = i % 3 ? 1 : 2;
        for (float k = 0; k < weight[i]; k++, n++) {
            memcpy(twice + n * D, x + i * D, D * sizeof *x);
            y2[n] = y[i];
        }
    }
    for (int i = 0; i < 2; i++) {
        struct arena room = a;
        struct matrix m = {i ? twice : x, D, false};
        struct logreg_problem p = {.x = {i ? n : N, D, get, &m}, .y = i ? y2 : y, .weight = i ? NULL : weight, .classes = K,
                                   .exact = 1, .compute = c};
        struct logreg *l = logreg_open(&p, &room, &e);
        struct logreg_result r;

        ok(l && logreg_fit(l, 1, 1e-9, 1000, NULL, NULL, theta[i], &r, room, &e) == 0 && r.converged, "weights: fits %s", e.msg);
    }
    for (size_t i = 0; i < K * (D + 1); i++)
        theta[0][i] -= theta[1][i];
    double worst = 0;
    for (size_t i = 0; i < K * (D + 1); i++)
        worst = fmax(worst, fabs(theta[0][i]));
    ok(worst < 5e-8, "a weight of 2 is a row that occurs twice: %.1e", worst);
}

static void little_memory(const struct weights *ws, const struct compute *c, struct arena a) {
    struct matrix m;
    struct logreg_problem p = problem(ws, &wants[0], &m, c, &a);
    double theta[3 * 65] = {0};
    int failed = 0, done_ = 0;

    for (size_t room = 0; room < (size_t)1 << 20; room += 4096) {
        struct arena small = {a.at, a.at + room, a.mem};
        struct err e = {0};
        struct logreg_result r;
        struct logreg *l = logreg_open(&p, &small, &e);

        memset(theta, 0, sizeof theta);
        if (l && logreg_fit(l, 0.1, 1e-7, 100, NULL, NULL, theta, &r, small, &e) == 0)
            done_++;
        else
            failed += e.msg[0] != 0;
    }
    ok(failed > 0 && done_ > 0 && failed + done_ == 256, "too little memory is an error: %d refused, %d done", failed, done_);
}

/* C_i, the validation rows that are right, of 50, and the cross entropy, from tests/golden/probe/probe.json */
static const struct { int i, right; double cross_entropy; } visits[SWEEP_FITS] = {
    {0, 19, 1.110541006302745}, {16, 19, 1.1070077581194342}, {32, 31, 0.9263380221186404}, {48, 32, 1.0992236114502447},
    {64, 32, 2.5217998195017426}, {80, 31, 4.210581362433799}, {96, 31, 5.992379030536833}, {40, 33, 0.7845958459386039},
    {56, 33, 1.753597368079109}, {36, 32, 0.8233586862575618}, {44, 32, 0.8749229714488606}, {38, 33, 0.7914040730169539},
    {42, 32, 0.8110850525671814}, {39, 33, 0.7843030700326394}, {41, 33, 0.7932766898971048},
};

struct sweeping {
    struct logreg *fit;
    const float *x;          /* the validation rows */
    const int32_t *y;
    double theta[3 * 65];    /* each fit starts where the one before has ended */
    struct arena scratch;
    size_t steps;
};

static int try_c(void *ctx, struct sweep_fit *f, struct err *e) {
    struct sweeping *s = ctx;
    struct logreg_result r;
    int right = 0;

    if (logreg_fit(s->fit, f->c, 0, 1000, NULL, NULL, s->theta, &r, s->scratch, e) < 0)
        return -1;
    s->steps += r.iterations;
    ok(r.converged, "C_%d: converged in %zu steps", f->i, r.iterations);
    for (size_t i = 0; i < 50; i++) {
        double z[3];

        logreg_scores(s->theta, 3, 64, s->x + i * 64, z);
        right += logreg_predict(z, 3) == (size_t)s->y[i];
        f->cross_entropy += logreg_cross_entropy(z, 3, (size_t)s->y[i]) / 50;
    }
    f->accuracy = right / 50.0;
    return 0;
}

/* The search for C on gauss3: fits on rows 0 to 99, scores on rows 100 to 149. */
static void sweep(const struct weights *ws, const struct compute *c, struct arena a) {
    struct matrix m;
    struct logreg_problem p = problem(ws, &wants[0], &m, c, &a);
    struct sweeping s = {.x = m.x + (size_t)100 * 64, .y = p.y + 100};
    struct err e = {0};
    struct sweep found;
    size_t other = 0;
    double off = 0;

    p.x.n = 100;
    s.fit = logreg_open(&p, &a, &e);
    s.scratch = a;
    if (!ok(s.fit && sweep_run(&found, try_c, &s, &e) == 0 && found.n == SWEEP_FITS, "a sweep that fits %s", e.msg))
        return;
    for (size_t i = 0; i < found.n; i++) {
        other += found.fit[i].i != visits[i].i || (int)lrint(50 * found.fit[i].accuracy) != visits[i].right;
        off = fmax(off, fabs(found.fit[i].cross_entropy / visits[i].cross_entropy - 1));
    }
    ok(other == 0 && off < 4e-4, "order and scores are the golden ones: %zu differ, cross entropy %.1e, %zu steps", other, off,
       s.steps);
    ok(found.fit[found.best].i == 39, "the best is C_39: C_%d", found.fit[found.best].i);
}

int main(void) {
    TAP_ARENA(a, 64);
    struct err e = {0};
    struct weights ws;
    struct compute c = {kern_choose(NULL, PREC_F32, cpu_flags(), &e), NULL};

    if (weights_open(&ws, GOLD, &a, &e) < 0)
        return ok(0, "%s", e.msg), done();
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        for (int exact = wants[i].c > 10; exact < 2; exact++)    /* C = 1000 asks for more than f32 gives */
            golden(&ws, &wants[i], exact, &c, a);
    for (size_t i = 0; kern_tried(i); i++)
        if (kern_tried(i)->precision == PREC_F32)
            for (int exact = 0; exact < 2; exact++)
                same_bytes(kern_tried(i), exact, a);
    weighted(&c, a);
    sweep(&ws, &c, a);
    little_memory(&ws, &c, a);
    free(a_mem.base);
    return done();
}
