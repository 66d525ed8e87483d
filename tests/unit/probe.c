/* Labels, gathered vectors, neighbours, Tip-Adapter and whole fits, against tests/golden/probe. */
#include "tools/stage/probe_fit.h"

#include <stdint.h>
#include <unistd.h>

#include "lib/base/cpu.h"
#include "lib/kernel/kern.h"
#include "lib/vector/similarity.h"
#include "tools/stage/labelling.h"
#include "tools/stage/neighbours.h"

#include "tests/golden_file.h"

#define GOLD "tests/golden/probe/probe.safetensors"

static double f64(const struct tensor *t, size_t i) {
    double v;

    memcpy(&v, (const char *)t->data + 8 * i, 8);
    return v;
}

static struct record record(const char *id, const float *x, size_t d, struct arena *a) {
    struct record r;
    struct err e = {0};

    if (record_new(&r, span_of(id), false, a, &e) < 0 || (x && record_set_tensor(&r, "image_embed", DT_F32, x, 1, &d, &e) < 0))
        fprintf(stderr, "%s\n", e.msg), exit(1);
    return r;
}

/* The rows of a golden set, with the class names "a3" where the class is 3 (so that they sort as numbers do). */
static void gather(struct features *f, const struct weights *ws, const char *set, struct arena *a) {
    char name[64], id[64], label[32];
    int32_t y;
    struct err e = {0};

    snprintf(name, sizeof name, "%s.x", set);
    const struct tensor *x = golden_tensor(ws, name);
    const float *v = tensor_all_f32(x, a);

    snprintf(name, sizeof name, "%s.y", set);
    if (features_open(f, "image_embed", a, &e) < 0)
        fprintf(stderr, "%s\n", e.msg), exit(1);
    for (size_t i = 0; i < x->shape[0]; i++) {
        struct record r;

        memcpy(&y, (const char *)golden_tensor(ws, name)->data + 4 * i, 4);
        snprintf(id, sizeof id, "%s/%zu", set, i);
        snprintf(label, sizeof label, "a%02d", y);
        r = record(id, v + i * x->shape[1], x->shape[1], a);
        if (features_add(f, &r, span_of(label), -1, *a, &e) < 0)
            fprintf(stderr, "%s\n", e.msg), exit(1);
    }
    if (features_end(f, *a, &e) < 0)
        fprintf(stderr, "%s\n", e.msg), exit(1);
}

static void near_and_tip(const struct weights *ws, struct arena a) {
    struct features f;
    struct neighbours v = {.sim = sim_kern_choose(kern_choose(NULL, PREC_F32, cpu_flags(), NULL)->name), .k = 10,
                           .alpha = 1.17, .beta = 1};
    const float *x = tensor_all_f32(golden_tensor(ws, "photos30.x_test"), &a);
    float *text = arena_take(&a, 30 * 64, sizeof *text);
    double score[30], worst[3] = {0};
    struct err e = {0};

    gather(&f, ws, "photos30", &a);
    ok(f.classes == 30 && f.n == 100 && f.label[3].n == 3 && !memcmp(f.label[3].p, "a03", 3), "gathered: %zu of %zu classes",
       f.n, f.classes);
    v.f = &f;
    memcpy(text, tensor_all_f32(golden_tensor(ws, "photos30.text"), &a), 30 * 64 * sizeof *text);
    for (size_t i = 0; i < 30; i++)
        sim_normalise(text + 64 * i, 64);
    for (int way = 0; way < 3; way++) {
        static const char *const gold[] = {"photos30.knn10_weights", "photos30.knn10_votes", "photos30.tip_logits"};
        struct arena room = a;
        int ran = 0;

        v.plain = way == 1;
        v.text = way == 2 ? text : NULL;
        ok(neighbours_open(&v, &room, &e) == 0, "neighbours %s", e.msg);
        for (size_t i = 0; i < 60; i++) {
            ran += neighbours_run(&v, DT_F32, x + 64 * i, score) == SIM_OK;
            for (size_t j = 0; j < 30; j++) {
                double want = f64(golden_tensor(ws, gold[way]), 30 * i + j);

                worst[way] = fmax(worst[way], fabs(score[j] - want) / (way == 2 ? 100 : fmax(want, 1)));
            }
        }
        ok(ran == 60, "%d of 60 vectors", ran);
        ok(worst[way] < (way == 1 ? 1e-15 : 1e-6), "%s within %.1e", gold[way], worst[way]);
    }
}

static void fits(const struct weights *ws, const struct compute *c, struct arena a) {
    struct features f;
    struct probe_fit p = {.x = &f, .compute = c, .c = 0.316, .max_iter = 1000, .exact = -1, .hold_out = true,
                          .calibrate = true, .folds = 4, .validation = 0.2};
    struct err e = {0};
    size_t *m, sum = 0;

    gather(&f, ws, "gauss3", &a);
    if (!ok(probe_fit_run(&p, &a, &e) == 0, "a fit with four folds %s", e.msg))
        return;
    ok(p.result.converged && fabs(p.result.objective / 16.088285675019563 - 1) < 1e-8, "the golden objective: %.9f",
       p.result.objective);
    ok(p.held == 150, "every row was held out once: %zu", p.held);
    m = probe_confusion(&p, &a);
    for (size_t i = 0; i < 9; i++)
        sum += m[i];
    ok(sum == 150 && (double)(m[0] + m[4] + m[8]) / 150 == p.accuracy, "confusion: accuracy %.3f", p.accuracy);
    ok(p.temperature > 1 && p.error_after < p.error, "overconfident, and less so at T = %.3f: %.3f, %.3f", p.temperature,
       p.error, p.error_after);
    p.folds = 0, p.sweep = true, p.calibrate = false;
    ok(probe_fit_run(&p, &a, &e) == 0 && p.swept.n > 7 && p.swept.n <= SWEEP_FITS && p.c == p.swept.fit[p.swept.best].c,
       "a sweep %s", e.msg);
    ok(p.held > 15 && p.held < 45, "about a fifth was held out: %zu of 150", p.held);
    ok(fabs(p.accuracy - p.swept.fit[p.swept.best].accuracy) < 1e-12, "its accuracy is that of the best C");
    p.sweep = false, p.hold_out = false, p.balanced = true, p.c = 1;
    ok(probe_fit_run(&p, &a, &e) == 0 && p.result.converged, "balanced %s", e.msg);
    f.classes = 1;
    ok(probe_fit_run(&p, &a, &e) == -1 && !strcmp(e.msg, "all vectors have one label, and a classifier needs two"),
       "refused: %s", e.msg);
}

static const char *label_of(const struct labelling *l, struct record *r, struct arena a) {
    static char out[64];
    struct err e = {0};
    struct span s;
    int got = labelling_of(l, r, &s, &a, &e);

    if (got <= 0)
        return got ? e.msg[0] ? strcpy(out, e.msg) : "?" : "-";
    snprintf(out, sizeof out, "%.*s", (int)s.n, (const char *)s.p);
    return out;
}

static struct labelling lines(const char *text, struct arena *a, struct err *e) {
    char name[] = "/tmp/unclip-labels-XXXXXX";
    int fd = mkstemp(name);
    struct labelling l = {0};

    if (write(fd, text, strlen(text)) < 0 || labelling_open(&l, name, NULL, a, e) < 0)
        memmove(e->msg, e->msg + sizeof name + 1, strlen(e->msg + sizeof name));
    close(fd);
    unlink(name);
    return l;
}

static void labels(struct arena a) {
    struct err e = {0};
    struct record x = record("birds/robin/1.jpg", NULL, 0, &a), y = record("0123", NULL, 0, &a), z = record("z", NULL, 0, &a);
    struct labelling l = lines("z\tstar\r\n\nbirds/robin/1.jpg\ta robin\tand more\n", &a, &e);

    record_set_text(&y, "path", span_of("birds/robin/1.jpg"), &e);
    record_set_text(&z, "label", span_of("own"), &e);
    ok(!strcmp(label_of(&l, &x, a), "a robin\tand more"), "by id: %s", label_of(&l, &x, a));
    ok(!strcmp(label_of(&l, &y, a), "a robin\tand more"), "by path");
    ok(!strcmp(label_of(&l, &z, a), "star"), "a file goes before the field");
    labelling_open(&l, NULL, NULL, &a, &e);
    ok(!strcmp(label_of(&l, &z, a), "own") && !strcmp(label_of(&l, &x, a), "-"), "the field `label`");
    labelling_open(&l, NULL, "([^/]+)/[^/]+$", &a, &e);
    ok(!strcmp(label_of(&l, &x, a), "robin") && !strcmp(label_of(&l, &y, a), "robin") && !strcmp(label_of(&l, &z, a), "-"),
       "by the folder's name");
    labelling_close(&l);
    labelling_open(&l, NULL, "^[a-z]+", &a, &e);
    ok(!strcmp(label_of(&l, &x, a), "birds"), "all that matched");
    labelling_close(&l);
    ok(labelling_open(&l, NULL, "(", &a, &e) == -1 && strstr(e.msg, "(: "), "refused: %s", e.msg);
    e.msg[0] = 0;
    lines("a\tb\nc\n", &a, &e);
    ok(!strcmp(e.msg, "line 2: no tab between an id and its label"), "refused: %s", e.msg);
    e.msg[0] = 0;
    lines("a\tb\na\tb\na\tc\n", &a, &e);
    ok(!strcmp(e.msg, "a has two labels"), "refused: %s", e.msg);
}

/* Many labels, half and full precision, mapped and copied; and vectors that do not belong. */
static void table(struct arena a) {
    float x[4] = {3, 4, 0, 0}, back[4];
    struct features f;
    struct err e = {0};
    struct record r;
    size_t four = 4, right = 0;

    features_open(&f, "image_embed", &a, &e);
    for (int i = 0; i < 5000; i++) {
        char id[16], label[16];

        snprintf(id, sizeof id, "%d", i);
        snprintf(label, sizeof label, "%04d", 4999 - i);
        x[2] = (float)i;
        r = record(id, NULL, 0, &a);
        record_set_tensor(&r, "image_embed", i % 2 ? DT_F16 : DT_F32, x, 1, &four, &e);
        if (features_add(&f, &r, span_of(label), i % 3 ? -1 : 0, a, &e) < 0)
            break;
    }
    ok(features_end(&f, a, &e) == 0 && f.n == 5000 && f.classes == 5000, "5000 labels %s", e.msg);
    for (size_t i = 0; i < 2048; i++)
        right += f.row[i].label == 4999 - (int)i && feature_row(&f, i, back) == SIM_OK && back[0] == 3 && back[2] == (float)i;
    ok(right == 2048, "each row has its label and its numbers: %zu", right);
    f.normalise = true;
    ok(feature_row(&f, 0, back) == SIM_OK && fabs((double)back[0] - 0.6) < 1e-7, "scaled to length one");
    r = record("wide", back, 3, &a);
    ok(features_add(&f, &r, span_of("x"), -1, a, &e) == -1 && strstr(e.msg, "has 3 elements"), "refused: %s", e.msg);
    r = record("none", NULL, 0, &a);
    e.msg[0] = 0;
    ok(features_add(&f, &r, span_of("x"), -1, a, &e) == -1 && !strcmp(e.msg, "no image_embed (clip-embed makes it of a picture, prior of a text)"), "refused: %s", e.msg);
}

int main(void) {
    TAP_ARENA(a, 512);
    struct compute c = {kern_choose(NULL, PREC_F32, cpu_flags(), NULL), NULL};
    struct weights ws = golden_open(GOLD, &a);

    near_and_tip(&ws, a);
    fits(&ws, &c, a);
    labels(a);
    table(a);
    free(a_mem.base);
    return done();
}
