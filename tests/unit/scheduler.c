/* Schedulers against golden steps of diffusers' UnCLIPScheduler (tests/golden/karlo/io/scheduler.safetensors:
 * the reference class under torch 1.13, f32), and DDIM and known elements by their properties. */
#include "lib/diffusion/scheduler.h"

#include "formats/checkpoint/weights.h"
#include "tests/tap.h"

enum { N = 48 };

static struct weights ws;

__attribute__((format(printf, 2, 3)))
static const float *golden(struct arena *a, const char *fmt, ...) {
    char key[128];
    struct weight *w;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(key, sizeof key, fmt, ap);
    va_end(ap);
    w = weights_find(&ws, key);
    return w ? tensor_all_f32(&w->t, a) : NULL;
}

static const float *step_of(struct arena *a, const char *name, int t, int p, const char *what) {
    return golden(a, "%s_scheduler.%d.%d.%s", name, t, p, what);
}

static void tables(struct arena a) {
    struct sched s;
    struct err e = {0};
    const struct sched_config c = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, false};
    const size_t counts[] = {2, 4, 7, 25, 50};
    const float *beta = golden(&a, "betas"), *abar = golden(&a, "alphas_cumprod");
    int t[50];

    ok(sched_init(&s, &c, &a, &e) == 0, "a schedule of 1000 steps");
    ok(beta && !memcmp(s.beta, beta, 4000), "betas are diffusers', bit for bit");
    ok(abar && !memcmp(s.abar, abar, 4000), "their cumulative products too");
    for (size_t i = 0; i < 5; i++) {
        char name[32];
        struct weight *w;
        int same;
        snprintf(name, sizeof name, "timesteps_%zu", counts[i]);
        w = weights_find(&ws, name);
        sched_timesteps(&s, counts[i], t);
        same = w != NULL;
        for (size_t k = 0; same && k < counts[i]; k++) {
            float f;
            tensor_f32(&w->t, k, k + 1, &f);
            same = (int)f == t[k];
        }
        ok(same, "%zu timesteps", counts[i]);
    }
    sched_timesteps(&s, 1, t);
    ok(t[0] == 0, "one step is t = 0");
    ok(sched_timesteps_ddim(&s, 50, 980, t) == 50 && t[0] == 980 && t[49] == 0 && t[48] == 20, "DDIM's 50 end at 980");
    ok(sched_timesteps_ddim(&s, 50, 500, t) == 26 && t[0] == 500, "and none is above the top");
}

static void steps(struct arena a) {
    static const struct { const char *name; struct sched_config c; } s[] = {
        {"prior", {1000, BETAS_COSINE, PREDICT_SAMPLE, VARIANCE_FIXED_SMALL_LOG, true, 5, false}},
        {"decoder", {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, false}},
        {"super_res", {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_FIXED_SMALL_LOG, true, 1, false}}};
    static const int from[][2] = {{999, 957}, {500, 458}, {42, 0}, {0, -1}, {10, 9}};

    for (size_t i = 0; i < 3; i++) {
        struct sched sc;
        struct err e = {0};
        sched_init(&sc, &s[i].c, &a, &e);
        for (size_t k = 0; k < 5; k++) {
            int t = from[k][0], p = from[k][1];
            const float *x = step_of(&a, s[i].name, t, p, "sample"), *m = step_of(&a, s[i].name, t, p, "model_output");
            const float *z = step_of(&a, s[i].name, t, p, "noise"), *want = step_of(&a, s[i].name, t, p, "prev_sample");
            const float *want0 = step_of(&a, s[i].name, t, p, "pred_x0");
            float got[N], x0[N];
            char what[64];
            if (!ok(x && m && z && want && want0, "%s %d: golden data", s[i].name, t))
                continue;
            memcpy(got, x, sizeof got);
            sched_step(&sc, t, p, got, m, i == 1 ? m + N : NULL, z, NULL, x0, N);
            snprintf(what, sizeof what, "%s %d -> %d", s[i].name, t, p);
            close_to(got, want, N, 4.8e-7, 0, what);    /* observed 1.2e-7 */
            close_to(x0, want0, N, 0, 0, "its x0");
        }
    }
}

static void ddim(struct arena a) {
    const struct sched_config c = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, false};
    const float x0[4] = {0.5f, -0.25f, 1, 0}, eps[4] = {0.1f, 0.9f, -2, 1};
    struct sched s;
    struct err e = {0};
    float x[4], y[4], data[4];

    sched_init(&s, &c, &a, &e);
    memcpy(x, x0, sizeof x);
    sched_ddim(&s, -1, -1, x, eps, 0, false, NULL, NULL, NULL, 4);
    close_to(x, x0, 4, 0, 0, "the level of data to itself is the identity");
    sched_ddim(&s, 500, 500, x, eps, 0, false, NULL, NULL, NULL, 4);
    close_to(x, x0, 4, 1e-6, 0, "any level to itself too");
    sched_ddim(&s, 20, 980, x, eps, 0, false, NULL, NULL, NULL, 4);
    sched_ddim(&s, 980, 20, x, eps, 0, false, NULL, NULL, NULL, 4);
    close_to(x, x0, 4, 4e-6, 0, "inversion undoes sampling");
    for (int i = 0; i < 4; i++)
        x[i] = sqrtf(s.abar[600]) * x0[i] + sqrtf(1 - s.abar[600]) * eps[i];
    memcpy(y, x, sizeof y);
    sched_ddim(&s, 600, -1, x, eps, 0, false, NULL, NULL, NULL, 4);
    close_to(x, x0, 4, 2e-6, 0, "with the true noise one step gives the data (eq. 12)");
    sched_ddim(&s, 600, 250, y, eps, 0, false, NULL, NULL, data, 4);
    close_to(data, x0, 4, 2e-6, 0, "which a shorter step predicts, too");
    sched_ddim(&s, 250, -1, y, eps, 0, true, NULL, NULL, data, 4);
    close_to(y, x0, 4, 2e-6, 0, "which the clamp leaves alone");
    close_to(data, y, 4, 0, 0, "and at the end the prediction is the state");
    sched_guide(x, x0, eps, 1, 4);
    close_to(x, eps, 4, 1e-6, 0, "guidance 1 is the conditional branch");
    sched_guide(x, x0, eps, 0, 4);
    close_to(x, x0, 4, 0, 0, "guidance 0 the other one");
}

/* Elements 0 and 2 are known. */
static void known(struct arena a) {
    const struct sched_config c = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_FIXED_SMALL_LOG, true, 1, false};
    const float mask[4] = {1, 0, 1, 0}, data[4] = {0.3f, 9, -0.7f, 9};
    const float model[4] = {5, 0.1f, -5, 0.2f}, noise[4] = {1, -1, 0.5f, 0.25f};
    const struct sched_known k = {data, mask};
    struct sched s;
    struct err e = {0};
    float x[4], y[4], x0[4], at, rest, from, its;

    sched_init(&s, &c, &a, &e);
    for (int ddim = 0; ddim < 2; ddim++)
        for (int clip = 0; clip < 2; clip++) {
            const char *name = !ddim ? "ancestral" : clip ? "DDIM, clamped" : "DDIM";
            memcpy(x, noise, sizeof x), memcpy(y, noise, sizeof y);
            for (int i = 0; i < 2; i++) {
                float *v = i ? y : x;
                if (ddim)
                    sched_ddim(&s, 500, 250, v, model, 0, clip, NULL, i ? NULL : &k, NULL, 4);
                else
                    sched_step(&s, 500, 250, v, model, NULL, noise, i ? NULL : &k, i ? NULL : x0, 4);
            }
            ok(x[1] == y[1] && x[3] == y[3] && x[0] != y[0] && x[2] != y[2],
               "%s: a step that knows two elements changes these alone", name);
            sched_level(&s, 250, &at, &rest);
            for (int i = 0; ddim && i < 4; i += 2) {    /* the noise that x had is carried along */
                sched_level(&s, 500, &from, &its);
                y[i] = at * data[i] + rest * (noise[i] - from * data[i]) / its;
            }
            if (ddim)
                close_to(x, y, 4, 1e-6, 0, "their clean data and their noise go to the new level");
            else
                ok(x0[0] == data[0] && x0[2] == data[2], "their x0 is what is known");
            if (ddim)
                sched_ddim(&s, 250, -1, x, model, 0, clip, NULL, &k, NULL, 4);
            else
                sched_step(&s, 0, -1, x, model, NULL, NULL, &k, x0, 4);
            ok(ddim ? x[0] == data[0] && x[2] == data[2] : x0[0] == data[0], "%s: the last step gives what is known", name);
        }
    sched_level(&s, -1, &at, &rest);
    ok(at == 1 && rest == 0, "the clean data have no noise");
    for (int i = 0; i < 4; i++)
        x[i] = data[i], y[i] = 0;
    sched_climb(&s, -1, 700, x, y, 4);
    sched_level(&s, 700, &at, &rest);
    for (int i = 0; i < 4; i++)
        y[i] = at * data[i];
    close_to(x, y, 4, 1e-7, 0, "a climb keeps the share of the data");
    /* from 250 to 700, the noise of 250 and the new one, which are independent, have 1 - abar_700 together */
    sched_level(&s, 250, &from, &its);
    x[0] = 1, y[0] = 0, x[1] = 0, y[1] = 1;
    sched_climb(&s, 250, 700, x, y, 2);
    x[2] = x[0] * its * x[0] * its + x[1] * x[1], y[2] = rest * rest;
    close_to(x + 2, y + 2, 1, 1e-6, 0, "and ends at the variance of its level");
}

int main(void) {
    TAP_ARENA(a, 16);
    struct err e = {0};
    const struct sched_config bad = {1, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, false};
    struct sched s;

    ok(weights_open(&ws, "tests/golden/karlo/io/scheduler.safetensors", &a, &e) == 0, "golden file %s", e.msg);
    ok(sched_init(&s, &bad, &a, &e) < 0, "a schedule of one step is refused: %s", e.msg);
    tables(a);
    steps(a);
    ddim(a);
    known(a);
    free(a_mem.base);
    return done();
}
