/* Cosines against long double, kernels against each other (bits), bad vectors, the filter, softmax. */
#include "lib/vector/similarity.h"

#include <stdint.h>

#include "tests/tap.h"

enum { DMAX = 1100 };

static uint64_t state = 1;

static float uniform(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) * 0x1p-23f - 1;
}

static double exact_cosine(const float *a, const float *b, size_t d) {
    long double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < d; i++) {
        ab += (long double)a[i] * (long double)b[i];
        aa += (long double)a[i] * (long double)a[i];
        bb += (long double)b[i] * (long double)b[i];
    }
    return (double)(ab / sqrtl(aa * bb));
}

/* Every width, at an odd address with NaN right after the end: no kernel reads beyond it. */
static void against_exact(const struct sim_kern *k) {
    static float a[DMAX], b[DMAX], h[DMAX];
    static unsigned char raw[4 * DMAX + 8];
    static double v[DMAX];
    double worst = 0, worst16 = 0, c = 0;
    bool same = true;

    for (size_t d = 1; d <= DMAX - 1; d += d < 70 ? 1 : 103) {
        struct sim_query q;
        double ref = 0;

        memset(raw, 0xff, sizeof raw);
        for (size_t i = 0; i < d; i++) {
            uint16_t half = f32_f16(uniform());

            a[i] = uniform(), b[i] = uniform() + 0.2f;
            h[i] = f16_f32(half);
            memcpy(raw + 1 + 2 * i, &half, 2);
        }
        sim_query(&q, k, DT_F32, a, d, v);
        sim_cosine(&q, DT_F16, raw + 1, &c);
        worst16 = fmax(worst16, fabs(c - exact_cosine(a, h, d)));
        memset(raw, 0xff, sizeof raw);
        memcpy(raw + 1, b, 4 * d);
        sim_cosine(&q, DT_F32, raw + 1, &c);
        worst = fmax(worst, fabs(c - exact_cosine(a, b, d)));
        q.kern = &sim_kern_c;
        sim_cosine(&q, DT_F32, raw + 1, &ref);
        same = same && memcmp(&c, &ref, sizeof c) == 0;
        c = k->dot(v, b, d);
        ref = sim_kern_c.dot(v, b, d);
        same = same && memcmp(&c, &ref, sizeof c) == 0;
    }
    /* observed: 1.1e-16 both */
    ok(worst <= 4.4e-16, "%s: f32 cosines are within 4.4e-16 of long double", k->name);
    ok(worst16 <= 4.4e-16, "%s: f16 cosines too", k->name);
    ok(same, "%s: the same bits as the C kernel for every width", k->name);
    printf("# %s: largest error f32 %.2g, f16 %.2g\n", k->name, worst, worst16);
}

static int cosine_of(const struct sim_kern *k, enum dtype dt, const void *x, size_t d, double *c) {
    static const float one[40] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static double v[40];
    struct sim_query q;

    sim_query(&q, k, DT_F32, one, d, v);
    return sim_cosine(&q, dt, x, c);
}

static void bad_vectors(const struct sim_kern *k) {
    float x[40] = {0}, big[2] = {3e38f, 3e38f}, small[2] = {1e-45f, 0};
    uint16_t h[40] = {0};
    double c = 7;
    bool bad = true;

    ok(cosine_of(k, DT_F32, x, 40, &c) == SIM_ZERO && cosine_of(k, DT_F16, h, 40, &c) == SIM_ZERO,
       "%s: zeros have no cosine", k->name);
    for (int i = 0; i < 40; i++) {
        x[i] = i & 1 ? NAN : -INFINITY;
        h[i] = i & 1 ? 0x7e00 : 0xfc00;
        bad = bad && cosine_of(k, DT_F32, x, 40, &c) == SIM_NOT_FINITE &&
              cosine_of(k, DT_F16, h, 40, &c) == SIM_NOT_FINITE;
        x[i] = 0, h[i] = 0;
    }
    ok(bad && c == 7, "%s: NaN and infinity are seen at every place, f32 and f16", k->name);
    ok(cosine_of(k, DT_F32, big, 2, &c) == SIM_OK && c == 1, "%s: large values do not overflow",
       k->name);
    ok(cosine_of(k, DT_F32, small, 2, &c) == SIM_OK && fabs(c - sqrt(0.5)) < 1e-15,
       "%s: the smallest subnormal has a direction", k->name);
}

static void same_is_one(const struct sim_kern *k) {
    static float x[768];
    static double v[768];
    struct sim_query q;
    double c = 0, d = 0;
    int n = 0;

    for (int rep = 0; rep < 200; rep++) {
        for (int i = 0; i < 768; i++)
            x[i] = uniform();
        sim_query(&q, k, DT_F32, x, 768, v);
        sim_cosine(&q, DT_F32, x, &c);
        for (int i = 0; i < 768; i++)
            x[i] = -x[i];
        sim_cosine(&q, DT_F32, x, &d);
        n += c > 1 - 3e-16 && c <= 1 && d == -c;
    }
    ok(n == 200, "%s: a vector with itself is 1, with its negative -1", k->name);
}

/* ---- the filter never rejects a vector that reaches the threshold ---- */

static float factor(int i) {    /* magnitudes whose products and squares leave the range of f32, and others */
    static const float f[] = {1, 1e-20f, 1e-12f, 0x1p-40f, 1e12f, 0x1p37f, 1e30f, 1e-40f, 1e-45f};

    return f[i % (int)(sizeof f / sizeof *f)];
}

struct seen {
    int lost, turned, far;    /* good vectors rejected; far vectors rejected; far vectors */
};

/* x with thresholds at its cosine, just below it, and above it by more than twice the bound. */
static void thresholds(struct seen *s, const struct sim_filter *f, enum dtype dt, const void *x) {
    double cos, far = 3 * f->bound;
    int got = sim_cosine(f->q, dt, x, &cos);

    if (got != SIM_OK) {
        s->lost += sim_below(f, dt, x, 2);
        return;
    }
    s->lost += sim_below(f, dt, x, cos) || sim_below(f, dt, x, nextafter(cos, -2)) || sim_below(f, dt, x, cos - 1e-9);
    s->far++;
    s->turned += sim_below(f, dt, x, cos + far);
}

/* Random vectors, vectors near the query, and vectors whose rounding errors all have the same sign in a long sum. */
static void element(float *x, const float *a, size_t d, int kind) {
    for (size_t i = 0; i < d; i++)
        x[i] = kind % 3 == 0   ? uniform()
               : kind % 3 == 1 ? a[i] + 1e-4f * uniform()
                               : a[i] * (1 + 0x1p-20f * (float)(i % 32 + 1));
}

static void filter(const struct sim_kern *k) {
    static float a[DMAX], x[DMAX + 1], w[DMAX];
    static double v[DMAX];
    static uint16_t h[DMAX + 1];
    struct seen plain = {0, 0, 0}, half = {0, 0, 0}, wild = {0, 0, 0};
    struct sim_query q;
    struct sim_filter f;

    for (size_t d = 1; d < DMAX; d += d < 67 ? 1 : d == 67 ? 701 : 331)
        for (int rep = 0; rep < 162; rep++) {
            for (size_t i = 0; i < d; i++)
                a[i] = rep % 2 ? uniform() : 1 + 0x1p-23f * (float)(i % 7);
            x[d] = NAN, h[d] = 0x7e00;    /* right after the end */
            if (sim_query(&q, k, DT_F32, a, d, v) != SIM_OK)
                continue;
            sim_filter(&f, &q, w);
            element(x, a, d, rep);
            thresholds(&plain, &f, DT_F32, x);
            for (size_t i = 0; i < d; i++)
                h[i] = f32_f16(x[i] * (rep % 5 == 4 ? 60000 : rep % 5 == 3 ? 1e-6f : 1));
            thresholds(&half, &f, DT_F16, h);
            for (size_t i = 0; i < d; i++)
                x[i] *= rep % 2 ? -factor(rep) : factor(rep);
            thresholds(&wild, &f, DT_F32, x);
            for (size_t i = 0; i < d; i++)    /* both sides */
                a[i] *= factor(rep / 9);
            if (sim_query(&q, k, DT_F32, a, d, v) == SIM_OK) {
                sim_filter(&f, &q, w);
                thresholds(&wild, &f, DT_F32, x);
            }
        }
    ok(plain.lost == 0 && half.lost == 0, "%s: the filter lets pass what reaches the threshold", k->name);
    ok(plain.turned == plain.far && half.turned > half.far * 9 / 10, "%s: it turns away what is three bounds below it",
       k->name);
    ok(wild.lost == 0, "%s: it does so with 1e30 and subnormals", k->name);
    printf("# %s: %d of %d turned away, f16 %d of %d, extremes %d of %d\n", k->name, plain.turned, plain.far, half.turned,
           half.far, wild.turned, wild.far);
}

/* A vector without a cosine is never rejected by the filter, because the result must say what is wrong with it. */
static void filter_bad(const struct sim_kern *k) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    static float a[80], w[80];
    static double v[80];
    float x[80] = {0};
    uint16_t h[80] = {0};
    struct sim_query q;
    struct sim_filter f;
    int n = 0;

    for (int i = 0; i < 80; i++)
        a[i] = uniform();
    sim_query(&q, k, DT_F32, a, 80, v);
    sim_filter(&f, &q, w);
    n += sim_below(&f, DT_F32, x, 2);
    n += sim_below(&f, DT_F16, h, 2);
    for (int i = 0; i < 80; i++)
        for (int j = 0; j < 3; j++) {
            for (int m = 0; m < 80; m++)
                x[m] = -a[m], h[m] = f32_f16(x[m]);
            x[i] = bad[j];
            h[i] = f32_f16(bad[j]);
            n += sim_below(&f, DT_F32, x, 2) + sim_below(&f, DT_F16, h, 2);
        }
    ok(n == 0, "%s: the filter lets zeros, NaN and infinity pass, at every place", k->name);
    memcpy(x, a, sizeof x);
    sim_filter(&f, &q, NULL);
    ok(!sim_below(&f, DT_F32, x, 2), "%s: without room it lets everything pass", k->name);
    sim_filter(&f, &q, w);
    ok(sim_below(&f, DT_F32, x, 2), "%s: and with it not", k->name);
}

static void softmax(void) {
    const double x[4] = {1000, 998, -1000, 1000};
    const float rows[4] = {0.6f, 0.8f, -1, 0}, unit[2] = {3, 4};
    struct sim_sum s = {0};
    struct sim_query q;
    double v[2], c[2], t = 0;
    int same = 0;
    float y[2] = {3, 4}, z[2] = {0, 0};

    for (int i = 0; i < 4; i++)
        sim_sum_add(&s, x[i]);
    for (int i = 0; i < 4; i++)
        t += sim_sum_prob(&s, x[i]);
    ok(fabs(t - 1) < 1e-15 && sim_sum_prob(&s, -1000) == 0, "softmax sums to 1 far from zero");
    ok(fabs(sim_sum_prob(&s, 998) - 1 / (2 * exp(2) + 1)) < 1e-16, "softmax of a middle value");
    s = (struct sim_sum){0};
    sim_sum_add(&s, -5);
    ok(sim_sum_prob(&s, -5) == 1, "softmax of one value is 1");

    ok(sim_normalise(y, 2) == SIM_OK && y[0] == 0.6f && y[1] == 0.8f && sim_normalise(z, 2) == SIM_ZERO,
       "normalise divides by the norm, and leaves zeros");
    for (int i = 0; i < 500; i++) {
        float n[37], m[37];

        for (int j = 0; j < 37; j++)
            n[j] = uniform();
        sim_normalise(n, 37);
        memcpy(m, n, sizeof n);
        sim_normalise(m, 37);
        same += memcmp(m, n, sizeof n) == 0;
    }
    ok(same == 500, "normalising twice is the same as once");
    sim_query(&q, &sim_kern_c, DT_F32, unit, 2, v);
    sim_rows(&q, rows, 2, c);
    ok(fabs(c[0] - 1) < 1e-7 && fabs(c[1] + 0.6) < 1e-16, "rows give one cosine each");
}

int main(void) {
    const struct sim_kern *k[3] = {&sim_kern_c};
    int n = 1;

#ifdef KERNELS_x86_64
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        k[n++] = &sim_kern_avx2;
    if (__builtin_cpu_supports("avx512f"))
        k[n++] = &sim_kern_avx512;
#endif
    for (int i = 0; i < n; i++) {
        against_exact(k[i]);
        bad_vectors(k[i]);
        same_is_one(k[i]);
        filter(k[i]);
        filter_bad(k[i]);
    }
    softmax();
    return done();
}
