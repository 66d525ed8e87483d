#include "lib/diffusion/scheduler.h"

#include <math.h>

/* Returns g of Nichol and Dhariwal's cos^2 schedule, g(u) = cos^2((u + 0.008) / 1.008 * pi / 2). */
static double cosine(double u) {
    double c = cos((u + 0.008) / 1.008 * 3.14159265358979323846 / 2);

    return c * c;
}

static double beta_at(enum sched_betas b, size_t i, size_t n) {
    double v;

    if (b == BETAS_LINEAR)
        return 1e-4 + (double)i * (0.02 - 1e-4) / (double)(n - 1);
    v = 1 - cosine((double)(i + 1) / (double)n) / cosine((double)i / (double)n);
    return v < 0.999 ? v : 0.999;
}

/* Computes the tables as torch does on a CPU: betas are rounded to f32 first; their cumulative product has a double
 * accumulator, and each entry is rounded to f32. */
int sched_init(struct sched *s, const struct sched_config *c, struct arena *a, struct err *e) {
    double prod = 1, exact = 1;

    if (c->train_steps < 2 || c->train_steps > SCHED_STEPS_MAX)
        return err_set(e, "a schedule of %zu steps: 2 to %d are possible", c->train_steps, SCHED_STEPS_MAX);
    if (c->clip && !(c->range > 0 && isfinite(c->range)))
        return err_set(e, "clip_sample_range %g is not a positive number", (double)c->range);
    s->c = *c;
    s->beta = arena_take(a, c->train_steps, sizeof *s->beta);
    s->abar = arena_take(a, c->train_steps, sizeof *s->abar);
    s->exact = c->guided ? arena_take(a, c->train_steps, sizeof *s->exact) : NULL;
    if (!s->beta || !s->abar || (c->guided && !s->exact))
        return err_set(e, "out of memory");
    for (size_t i = 0; i < c->train_steps; i++) {
        s->beta[i] = (float)beta_at(c->betas, i, c->train_steps);
        prod *= (double)(1 - s->beta[i]);
        s->abar[i] = (float)prod;
        exact *= 1 - beta_at(c->betas, i, c->train_steps);
        if (c->guided)
            s->exact[i] = exact;
    }
    return 0;
}

void sched_timesteps(const struct sched *s, size_t n, int *t) {
    for (size_t k = 0; k < n; k++) {
        double at = n == 1 ? 0 : (double)k * ((double)(s->c.train_steps - 1) / (double)(n - 1));
        t[n - 1 - k] = (int)nearbyint(at);
    }
}

size_t sched_timesteps_ddim(const struct sched *s, size_t n, int top, int *t) {
    size_t stride = s->c.train_steps / n, count = 0;

    for (size_t k = n; k-- > 0;)
        if (k * stride <= (size_t)top)
            t[count++] = (int)(k * stride);
    return count;
}

static double abar_at(const struct sched *s, int t) {
    return t < 0 ? 1 : s->exact ? s->exact[t] : (double)s->abar[t];
}

/* The coefficients of one ancestral step from t to prev (-1: the clean data); A as in scheduler.h. */
struct coef {
    float sqrt_a, sqrt_1ma;       /* sqrt A, sqrt (1 - A) */
    float of_x, of_eps;           /* sqrt (1 / A), sqrt (1 / A - 1): x0 = of_x x - of_eps eps, if guided */
    float c_x0, c_x;
    float sigma;                  /* factor of the noise for fixed_small_log; 0 at t = 0, where no noise is drawn */
    float log_beta, log_var;      /* for learned_range: v interpolates between these two */
};

/* Computes the coefficients as guided-diffusion does: in f64, and rounded to f32 at the end. */
static struct coef exact_coef(double a, double p) {
    double beta = 1 - a / p;

    return (struct coef){.of_x = (float)sqrt(1 / a), .of_eps = (float)sqrt(1 / a - 1),
                         .c_x0 = (float)(beta * sqrt(p) / (1 - a)), .c_x = (float)((1 - p) * sqrt(1 - beta) / (1 - a)),
                         .sigma = p < 1 ? (float)sqrt(beta * (1 - p) / (1 - a)) : 0,
                         .log_beta = (float)log(beta), .log_var = (float)log(beta * (1 - p) / (1 - a))};
}

static struct coef coef_of(const struct sched *s, int t, int prev) {
    float a = (float)abar_at(s, t), p = (float)abar_at(s, prev), beta, alpha, var;
    struct coef c = {.sigma = 0};

    if (s->exact)
        return exact_coef(abar_at(s, t), abar_at(s, prev));
    beta = prev == t - 1 ? s->beta[t] : 1 - a / p;
    alpha = 1 - beta;
    var = (1 - p) / (1 - a) * beta;
    c.sqrt_a = sqrtf(a);
    c.sqrt_1ma = sqrtf(1 - a);
    c.c_x0 = sqrtf(p) * beta / (1 - a);
    c.c_x = sqrtf(alpha) * (1 - p) / (1 - a);
    c.sigma = t > 0 ? expf(0.5f * logf(fmaxf(var, 1e-20f))) : 0;
    c.log_beta = logf(beta);
    c.log_var = logf(var);
    return c;
}

static float clamp(const struct sched *s, float x) {
    if (!s->c.clip)
        return x;
    return x < -s->c.range ? -s->c.range : x > s->c.range ? s->c.range : x;
}

static float predict(const struct sched *s, const struct coef *c, float x, float model) {
    if (s->c.predict == PREDICT_SAMPLE)
        return model;
    return s->exact ? c->of_x * x - c->of_eps * model : (x - c->sqrt_1ma * model) / c->sqrt_a;
}

static bool is_known(const struct sched_known *k, size_t i) {
    return k && k->mask[i] != 0;
}

void sched_step(const struct sched *s, int t, int prev, float *x, const float *model, const float *v,
                const float *noise, const struct sched_known *known, float *x0, size_t n) {
    struct coef c = coef_of(s, t, prev);

    for (size_t i = 0; i < n; i++) {
        float d = clamp(s, is_known(known, i) ? known->x0[i] : predict(s, &c, x[i], model[i]));
        float mean = c.c_x0 * d + c.c_x * x[i];

        if (x0)
            x0[i] = d;
        if (t > 0 && s->c.variance == VARIANCE_LEARNED_RANGE) {
            float frac = (v[i] + 1) / 2, log_var = frac * c.log_beta + (1 - frac) * c.log_var;
            mean += expf(0.5f * log_var) * noise[i];
        } else if (t > 0) {
            mean += c.sigma * noise[i];
        }
        x[i] = mean;
    }
}

/* Returns the standard deviation of the noise of a DDIM step from abar = a to abar = p.  *direction receives the factor of
 * the predicted noise eps. */
static double ddim_noise(double a, double p, double eta, double *direction) {
    double sd = eta > 0 && p > a ? eta * sqrt((1 - p) / (1 - a)) * sqrt(1 - a / p) : 0, rest = 1 - p - sd * sd;

    *direction = sqrt(rest > 0 ? rest : 0);
    return sd;
}

void sched_ddim(const struct sched *s, int t, int prev, float *x, const float *model, double eta, bool clip,
                const float *noise, const struct sched_known *known, float *x0, size_t n) {
    double a = abar_at(s, t), p = abar_at(s, prev), direction, sd = ddim_noise(a, p, eta, &direction);
    float ca = (float)sqrt(a), c1a = (float)sqrt(1 - a), cp = (float)sqrt(p), cdir = (float)direction, csd = (float)sd;

    for (size_t i = 0; i < n; i++) {
        float d = s->c.predict == PREDICT_SAMPLE ? model[i] : (x[i] - c1a * model[i]) / ca, eps;

        if (is_known(known, i))
            d = known->x0[i];
        if (clip)
            d = clamp(s, d);
        /* eps is computed from x0, unless the model predicts eps and x0 is neither clamped nor known */
        eps = clip || s->c.predict == PREDICT_SAMPLE || is_known(known, i) ? (x[i] - ca * d) / c1a : model[i];
        x[i] = cp * d + cdir * eps + (csd != 0 ? csd * noise[i] : 0);
        if (x0)
            x0[i] = d;
    }
}

void sched_predict(const struct sched *s, int t, const float *x, const float *model, const struct sched_known *known, float *x0,
                   size_t n) {
    double a = abar_at(s, t);
    float ca = (float)sqrt(a), c1a = (float)sqrt(1 - a);

    for (size_t i = 0; i < n; i++)
        x0[i] = is_known(known, i) ? known->x0[i] : s->c.predict == PREDICT_SAMPLE ? model[i] : (x[i] - c1a * model[i]) / ca;
}

/* Returns what each unit of g adds to DDIM's x': eps falls by sqrt(1-A), and x0 and the direction change with eps. */
static float pull_of_ddim(const struct sched *s, const struct sched_taken *k) {
    double a = abar_at(s, k->t), p = abar_at(s, k->prev), direction;

    ddim_noise(a, p, k->eta, &direction);
    return (float)(sqrt(1 - a) * (sqrt(p) * sqrt(1 / a - 1) - direction));
}

void sched_pull(const struct sched *s, const struct sched_taken *k, float *x, const float *v, const float *g,
                const struct sched_known *known, size_t n) {
    bool learned = s->c.variance == VARIANCE_LEARNED_RANGE;
    struct coef c = coef_of(s, k->t, k->prev);
    float of_g, log_var = c.log_var;

    if (k->prev < 0)    /* the variance is 0 here: take that of the step before */
        log_var = k->above < 0 ? c.log_beta : coef_of(s, k->above, k->t).log_var;
    of_g = k->ddim ? pull_of_ddim(s, k) : expf(log_var);
    for (size_t i = 0; i < n; i++) {
        if (is_known(known, i))
            continue;
        if (learned && !k->ddim) {
            float frac = (v[i] + 1) / 2;

            of_g = expf(frac * c.log_beta + (1 - frac) * log_var);
        }
        x[i] += of_g * g[i];
    }
}

void sched_level(const struct sched *s, int t, float *data, float *noise) {
    double a = abar_at(s, t);

    *data = (float)sqrt(a);
    *noise = (float)sqrt(1 - a);
}

void sched_climb(const struct sched *s, int from, int to, float *x, const float *noise, size_t n) {
    double share = abar_at(s, to) / abar_at(s, from);
    float data = (float)sqrt(share), rest = (float)sqrt(share < 1 ? 1 - share : 0);

    for (size_t i = 0; i < n; i++)
        x[i] = data * x[i] + rest * noise[i];
}

void sched_guide(float *out, const float *u, const float *c, float scale, size_t n) {
    for (size_t i = 0; i < n; i++)
        out[i] = u[i] + scale * (c[i] - u[i]);
}
