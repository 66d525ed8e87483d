/* Heads against torch's outputs (tests/golden/probe), the files that hold them, and what is written and read back;
 * calibration and the sweep against scipy and scikit-learn. */
#include "formats/checkpoint/head_file.h"

#include <stdint.h>
#include <unistd.h>

#include "formats/io/mapfile.h"
#include "lib/base/cpu.h"
#include "lib/kernel/kern.h"
#include "lib/probe/calibrate.h"
#include "lib/probe/logreg.h"
#include "lib/probe/sweep.h"
#include "lib/vector/similarity.h"

#include "tests/golden_file.h"

#define GOLD "tests/golden/probe/"

static int read_head(struct head_file *f, const char *path, struct arena *a, struct err *e) {
    struct mapfile m;

    return mapfile_open(&m, path, e) < 0 ? -1 : head_file_parse(f, m.p, m.n, HEAD_ACT_UNKNOWN, a, e);
}

static void published(const char *name, const char *kind, size_t layers, struct arena a) {
    struct weights io = golden_open(GOLD "heads_io.safetensors", &a);
    const float *x = tensor_all_f32(golden_tensor(&io, "x"), &a), *want = tensor_all_f32(golden_tensor(&io, name), &a);
    const size_t n = golden_tensor(&io, "x")->shape[0], d = golden_tensor(&io, "x")->shape[1];
    char path[128];
    struct head_file f;
    struct err e = {0};
    float got[8];
    double y;

    snprintf(path, sizeof path, GOLD "head_%s.pth", name);
    if (!ok(read_head(&f, path, &a, &e) == 0, "%s opens %s", name, e.msg))
        return;
    ok(!strcmp(f.kind, kind) && f.head.n == layers && head_in(&f.head) == d && head_out(&f.head) == 1 && f.head.normalise &&
           !f.classes, "%s: %s, folded to %zu layers", name, f.kind, f.head.n);
    for (size_t i = 0; i < n; i++) {
        head_run(&f.head, &sim_kern_c, x + i * d, false, &y, arena_take(&a, head_scratch(&f.head), 1));
        got[i] = (float)y;
    }
    close_to(got, want, n, 0, 2e-6, name);
}

static double f64(const struct tensor *t, size_t i) {
    double v;

    memcpy(&v, (const char *)t->data + 8 * i, 8);
    return v;
}

/* A classifier as JSON, whose probabilities are known; and what is written of it as safetensors. */
static void probe_files(struct arena a) {
    char copy[] = "/tmp/unclip-head-XXXXXX";
    const char *const name[] = {GOLD "photos30.probe.json", copy};
    struct weights gold = golden_open(GOLD "probe.safetensors", &a);
    const struct tensor *prob = golden_tensor(&gold, "photos30.C0.316.prob_test");
    const float *x = tensor_all_f32(golden_tensor(&gold, "photos30.x_test"), &a);

    close(mkstemp(copy));
    for (int k = 0; k < 2; k++) {
        struct head_file f;
        struct err e = {0};
        double y[30], worst = 0, theta[30 * 65];

        if (!ok(read_head(&f, name[k], &a, &e) == 0, "%s opens %s", name[k], e.msg))
            continue;
        ok(f.classes == 30 && f.c == 0.316 && !f.head.normalise && f.head.link == HEAD_SOFTMAX && !f.pre_proj &&
               f.label[0].n == 14 && !memcmp(f.label[0].p, "clas\xc3\xa9 00, \"x\"", 14), "%s: metadata", name[k]);
        for (size_t i = 0; i < 60; i++) {
            head_run(&f.head, &sim_kern_c, x + i * 64, false, y, arena_take(&a, head_scratch(&f.head), 1));
            for (size_t j = 0; j < 30; j++)
                worst = fmax(worst, fabs(y[j] - f64(prob, 30 * i + j)));
        }
        ok(worst < 1e-6, "%s: probabilities within %.1e", name[k], worst);
        for (size_t j = 0; j < 30; j++) {
            for (size_t i = 0; i < 64; i++)
                theta[65 * j + i] = (double)f.head.layer[0].weight[64 * j + i];
            theta[65 * j + 64] = (double)f.head.layer[0].bias[j];
        }
        ok(k || head_file_write(copy, &f, theta, 30, 64, a, &e) == 0, "written %s", e.msg);
    }
    unlink(copy);
}

static void written(struct arena a) {
    static const char *const name[] = {"head.safetensors", "head.json"};
    static const double theta[2 * 4] = {0.1, -2, 1 / 3.0, 5, 1e-300, 7, 1e6, -0.25};
    char dir[] = "/tmp/unclip-head-XXXXXX", path[64];

    if (!mkdtemp(dir))
        exit(1);
    for (int i = 0; i < 4; i++) {
        struct span label[] = {span_of("a \"b\""), span_of("caf\xc3\xa9")};
        struct head_file f = {.classes = 2, .label = label, .c = 0.1, .temperature = 1.5, .accuracy = 0.75, .n_train = 12,
                              .pre_proj = true, .model = "00000000000000ff"}, g;
        size_t k = i < 2 ? 1 : 2;
        struct err e = {0};

        f.head.normalise = true;
        snprintf(path, sizeof path, "%s/%s", dir, name[i % 2]);
        ok(head_file_write(path, &f, theta, k, 3, a, &e) == 0 && read_head(&g, path, &a, &e) == 0,
           "%s: written and read %s", name[i % 2], e.msg);
        if (g.head.n != 1)
            continue;
        ok(g.classes == 2 && g.label[0].n == 5 && !memcmp(g.label[0].p, "a \"b\"", 5) && g.c == 0.1 && g.temperature == 1.5 &&
               g.accuracy == 0.75 && g.n_train == 12 && g.pre_proj && !strcmp(g.model, "00000000000000ff") &&
               g.knows_normalise && g.head.normalise && g.head.link == (k == 1 ? HEAD_SIGMOID : HEAD_SOFTMAX) &&
               !strcmp(g.kind, "unclip-probe"), "%s: the same metadata", name[i % 2]);
        for (size_t j = 0; j < k * 4; j++)
            if ((j % 4 < 3 ? g.head.layer[0].weight[j / 4 * 3 + j % 4] : g.head.layer[0].bias[j / 4]) != (float)theta[j])
                ok(0, "number %zu comes back", j);
        unlink(path);
    }
    rmdir(dir);
}

static void hostile(struct arena a) {
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"{\"coef\": [[1, 2]], \"intercept\": [1, 2]}", "intercept is not an array of 1 numbers"},
        {"{\"coef\": [[1, 2], [3]], \"intercept\": [1, 2]}", "coef is not an array of 2 numbers"},
        {"{\"coef\": [], \"intercept\": []}", "coef is not an array of arrays of numbers"},
        {"{\"coef\": [[1, \"x\"]], \"intercept\": [1]}", "coef: member 1 is not a finite number"},
        {"{\"coef\": [[1, 1e39]], \"intercept\": [1]}", "coef: member 1 is not a finite number"},
        {"{\"coef\": [[1]], \"intercept\": [1], \"classes\": [\"a\"]}", "1 labels for 1 outputs"},
        {"{\"coef\": [[1]], \"intercept\": [1], \"temperature\": 0}", "temperature is not above 0"},
        {"{\"coef\": [[1]], \"intercept\": [1], \"model\": \"x\"}", "model is not a fingerprint of 16 hex digits"},
        {"{\"coef\": [[1]], \"intercept\": [1], \"features\": \"x\"}", "features is not one of embed|pre-proj"},
        {"\x80\x04\x95", "a pickle of another program is not read: no code is run"},
        {"hello", "neither safetensors nor a PyTorch file"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct head_file f;
        struct err e = {0};

        ok(head_file_parse(&f, (const unsigned char *)bad[i].text, strlen(bad[i].text), HEAD_ACT_UNKNOWN, &a, &e) == -1 &&
               !strcmp(e.msg, bad[i].why), "refused: %s", e.msg);
    }
}

/* The mean cross entropy of scores [60, 30] / t. */
static double cross_entropy(const double *scores, const int32_t *y, double t) {
    double sum = 0, scaled[30];

    for (size_t i = 0; i < 60; i++) {
        for (size_t j = 0; j < 30; j++)
            scaled[j] = scores[30 * i + j] / t;
        sum += logreg_cross_entropy(scaled, 30, (size_t)y[i]);
    }
    return sum / 60;
}

static void calibration(struct arena a) {
    struct weights gold = golden_open(GOLD "probe.safetensors", &a);
    const struct tensor *w = golden_tensor(&gold, "photos30.C10.weight"), *b = golden_tensor(&gold, "photos30.C10.bias");
    const float *x = tensor_all_f32(golden_tensor(&gold, "photos30.x_test"), &a);
    int32_t y[60], one[] = {0, 1, 1};
    double theta[30 * 65], scores[60 * 30], t, s[] = {-3, 1, 2};

    memcpy(y, golden_tensor(&gold, "photos30.y_test")->data, sizeof y);
    for (size_t j = 0; j < 30; j++) {
        for (size_t i = 0; i < 64; i++)
            theta[j * 65 + i] = f64(w, j * 64 + i);
        theta[j * 65 + 64] = f64(b, j);
    }
    for (size_t i = 0; i < 60; i++)
        logreg_scores(theta, 30, 64, x + i * 64, scores + i * 30);
    t = calibrate_temperature(scores, 60, 30, y);
    /* temperature, nll and ece15 of tests/golden/probe/probe.json */
    ok(fabs(t / 0.4763533279388829 - 1) < 1e-6, "temperature %.9f", t);
    ok(fabs(cross_entropy(scores, y, 1) - 0.5670055696908639) < 1e-9, "cross entropy before");
    ok(fabs(cross_entropy(scores, y, t) - 0.352388967556552) < 1e-9, "cross entropy after");
    ok(fabs(calibrate_error(scores, 60, 30, y, 1) - 0.22962538470908886) < 1e-9, "calibration error before");
    ok(fabs(calibrate_error(scores, 60, 30, y, t) - 0.08182515543694577) < 1e-6, "calibration error after");
    ok(calibrate_temperature(s, 3, 1, one) == 1e-3, "rows that are all told right: the end of the range");
}

/* What the golden sweep saw: tests/golden/probe/probe.json. */
static const struct sweep_fit seen[] = {
    {0, 0, 0.38, 1.110541006302745},
    {16, 0, 0.38, 1.1070077581194342},
    {32, 0, 0.62, 0.9263380221186404},
    {48, 0, 0.64, 1.0992236114502447},
    {64, 0, 0.64, 2.5217998195017426},
    {80, 0, 0.62, 4.210581362433799},
    {96, 0, 0.62, 5.992379030536833},
    {40, 0, 0.66, 0.7845958459386039},
    {56, 0, 0.66, 1.753597368079109},
    {36, 0, 0.64, 0.8233586862575618},
    {44, 0, 0.64, 0.8749229714488606},
    {38, 0, 0.66, 0.7914040730169539},
    {42, 0, 0.64, 0.8110850525671814},
    {39, 0, 0.66, 0.7843030700326394},
    {41, 0, 0.66, 0.7932766898971048},
};

static int look_up(void *ctx, struct sweep_fit *f, struct err *e) {
    size_t *n = ctx;

    if (*n >= sizeof seen / sizeof *seen || seen[*n].i != f->i)
        return err_set(e, "visit %zu is %d", *n, f->i);
    f->accuracy = seen[*n].accuracy;
    f->cross_entropy = seen[*n].cross_entropy;
    ++*n;
    return 0;
}

static void sweep(void) {
    struct sweep s;
    struct err e = {0};
    size_t n = 0;

    ok(sweep_run(&s, look_up, &n, &e) == 0 && n == sizeof seen / sizeof *seen, "the golden order of visits %s", e.msg);
    ok(s.fit[s.best].i == 39 && fabs(s.fit[s.best].c / 0.07498942093324558 - 1) < 1e-15, "the best is %d", s.fit[s.best].i);
}

int main(void) {
    TAP_ARENA(a, 64);

    published("linear", "linear", 1, a);
    published("mlp_linear", "layers 0 2 4 6 7", 1, a);
    published("mlp_relu", "layers 0 3 6 9 11", 5, a);
    published("h14_nsfw", "layers 0 3 6 9 12 15 16", 6, a);
    probe_files(a);
    written(a);
    hostile(a);
    calibration(a);
    sweep();
    free(a_mem.base);
    return done();
}
