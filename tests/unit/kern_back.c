/* The derivatives of every table of kernels that this CPU can run: against double precision, against differences of
 * the functions themselves, all tails, unaligned, with NaN beyond the end of every input. */
#include "lib/base/cpu.h"
#include "lib/kernel/kern.h"

#include "tests/guarded.h"
#include "tests/tap.h"

enum { ROOM = 1300, MOST = 1100 };

static void keep_worst(double *w, double d) {
    if (!(d <= *w))
        *w = d;
}

/* The derivatives of the activations in double precision. */
static double exact(enum act a, double x) {
    const double pi = 3.14159265358979323846, c = sqrt(2 / pi);
    double s;

    switch (a) {
    case ACT_NONE: return 1;
    case ACT_RELU: return x > 0;
    case ACT_QUICK_GELU:
        s = 1 / (1 + exp(-1.702 * x));
        return s + 1.702 * x * s * (1 - s);
    case ACT_GELU: return 0.5 * erfc(-x / sqrt(2)) + x * exp(-x * x / 2) / sqrt(2 * pi);
    case ACT_GELU_TANH:
        s = tanh(c * (x + 0.044715 * x * x * x));
        return (1 + s) / 2 + x * (1 - s * s) * c * (1 + 3 * 0.044715 * x * x) / 2;
    case ACT_SILU:
        s = 1 / (1 + exp(-x));
        return s + x * s * (1 - s);
    }
    return (double)NAN;
}

static void activations(const struct kern *k) {
    static const float one[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    double seen[6] = {0}, apart = 0;
    float x[64], y[64];
    int good = 1;

    for (int a = ACT_NONE; a <= ACT_SILU; a++)
        for (double at = -100; at < 100; at += 64 * 0.0011) {
            for (int i = 0; i < 64; i++)
                x[i] = (float)(at + i * 0.0011);
            k->act_back(64, (enum act)a, x, one, y);
            for (int i = 0; i < 64; i++)
                keep_worst(&seen[a], fabs((double)y[i] - exact((enum act)a, (double)x[i])));
            for (int i = 0; i < 64 && a != ACT_RELU; i++) {
                double h = 1e-3, up, down;
                float two[2] = {(float)((double)x[i] + h), (float)((double)x[i] - h)};

                if (fabs((double)x[i]) > 6)
                    continue;
                h = ((double)two[0] - (double)two[1]) / 2;
                k->act(2, (enum act)a, two, two);
                up = (double)two[0], down = (double)two[1];
                keep_worst(&apart, fabs((up - down) / (2 * h) - (double)y[i]));
            }
        }
    printf("# %s: error of derivatives: quick_gelu %.2g, gelu %.2g, gelu_tanh %.2g, silu %.2g; from differences %.2g\n",
           k->name, seen[2], seen[3], seen[4], seen[5], apart);
    ok(seen[0] == 0 && seen[1] == 0, "%s: derivatives of nothing and of ReLU are exact", k->name);
    ok(seen[2] < 2e-6 && seen[3] < 8e-7 && seen[4] < 6e-6 && seen[5] < 2e-6, "%s: derivatives of activations", k->name);
    ok(apart < 2e-3, "%s: derivatives agree with differences", k->name);
    x[0] = 0;
    k->act_back(1, ACT_RELU, x, one, y);
    ok(y[0] == 0, "%s: the derivative of ReLU at 0 is 0", k->name);
    for (int i = 0; i < 37; i++)
        x[i] = i % 5 ? 1 : NAN;
    for (int a = ACT_RELU; a <= ACT_SILU; a++) {
        k->act_back(37, (enum act)a, x, one, y);
        for (int i = 0; i < 37; i++)
            good &= i % 5 ? isfinite(y[i]) : isnan(y[i]);
    }
    ok(good, "%s: derivatives are NaN at NaN", k->name);
}

static void exact_norm(size_t n, const float *x, const float *g, const float *dy, double *dx) {
    double mean = 0, var = 0, r, a = 0, ah = 0;

    for (size_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        var += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    r = 1 / sqrt(var + (double)1e-5f);
    for (size_t i = 0; i < n; i++) {
        a += (double)dy[i] * (double)g[i] / (double)n;
        ah += (double)dy[i] * (double)g[i] * ((double)x[i] - mean) * r / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        dx[i] = r * ((double)dy[i] * (double)g[i] - a - ((double)x[i] - mean) * r * ah);
}

static void rows(const struct kern *k) {
    static float rx[ROOM], rg[ROOM], ry[ROOM], rd[ROOM];
    static double want[MOST];
    double norm = 0, soft = 0;
    int clean = 1, same = 1, act = 1;

    for (size_t n = 1; n < MOST; n += n < 140 ? 1 : 97) {
        float *x = guarded(rx, ROOM, n, 5), *g = guarded(rg, ROOM, n, 1), *y = guarded(ry, ROOM, n, 1), *d = guarded(rd, ROOM, n, 1), got[MOST], here[MOST];
        double s = 0;

        exact_norm(n, x, g, y, want);
        k->norm_back(n, x, g, 1e-5f, y, NULL, got);
        for (size_t i = 0; i < n && n > 1; i++)
            keep_worst(&norm, fabs((double)got[i] - want[i]));
        for (size_t i = 0; i < n; i++)
            want[i] = (double)(got[i] + d[i]);
        memcpy(here, x, n * sizeof *x);
        k->norm_back(n, here, g, 1e-5f, y, NULL, here);
        same &= !memcmp(here, got, n * sizeof *got);
        k->norm_back(n, x, g, 1e-5f, y, d, d);    /* d is added to, in place */
        for (size_t i = 0; i < n; i++)
            same &= d[i] == (float)want[i];
        k->norm_back(n, x, g, 1e-5f, y, NULL, y);
        same &= !memcmp(y, got, n * sizeof *y);
        clean &= untouched(rd, ROOM, n) && untouched(ry, ROOM, n);
        for (size_t i = 0; i < n; i++)
            x[i] = fabsf(x[i]) / (float)n, s += (double)x[i] * (double)g[i];
        k->softmax_back(n, 0.3f, x, g, y);
        for (size_t i = 0; i < n; i++)
            keep_worst(&soft, fabs((double)y[i] - (double)0.3f * (double)x[i] * ((double)g[i] - s)));
        for (int a = ACT_NONE; a <= ACT_SILU; a++) {
            float whole[64] = {0}, part[64] = {0};
            size_t m = n < 64 ? n : 64;

            memcpy(whole, x, m * sizeof *x);
            k->act_back(64, (enum act)a, whole, g - 1, part);    /* lanes do not see each other: the tail is the whole */
            k->act_back(m, (enum act)a, x, g - 1, y);
            act &= !memcmp(part + 1, y + 1, (m - 1) * sizeof *y);
        }
        clean &= untouched(ry, ROOM, n);
    }
    printf("# %s: norm_back %.2g, softmax_back %.2g\n", k->name, norm, soft);
    ok(norm < 4e-7, "%s: the derivative of a norm", k->name);
    ok(soft < 4e-7, "%s: the derivative of a softmax", k->name);
    ok(same, "%s: norm_back in place, and with something to add to", k->name);
    ok(act, "%s: act_back gives the same bits in a tail", k->name);
    ok(clean, "%s: nothing is written beyond the end", k->name);
}

static void bits(const struct kern *k) {
    static float rx[ROOM], rd[ROOM];
    int good = 1, clean = 1;

    for (size_t n = 0; n < MOST; n += n < 140 ? 1 : 97) {
        float *x = guarded(rx, ROOM, n, 1), *d = guarded(rd, ROOM, n, 1), got[MOST];
        unsigned char b[MOST / 8 + 3];
        size_t bytes = (n + 7) / 8;

        for (size_t i = 0; i < n; i += 3)
            x[i] = i % 2 ? 0 : i % 4 ? NAN : -0.0f;
        memset(b, 0xa5, sizeof b);
        k->positive(n, x, b);
        for (size_t i = 0; i < 8 * bytes; i++)
            good &= (b[i / 8] >> i % 8 & 1) == (i < n && x[i] > 0);
        good &= b[bytes] == 0xa5;
        k->select(n, b, d, got);
        for (size_t i = 0; i < n; i++)
            good &= got[i] == (x[i] > 0 ? d[i] : 0);
        k->select(n, b, d, d);
        good &= !memcmp(d, got, n * sizeof *d);
        clean &= untouched(rd, ROOM, n);
    }
    ok(good, "%s: the bits of ReLU and their use", k->name);
    ok(clean, "%s: select writes nothing beyond the end", k->name);
}

int main(void) {
    const struct kern *k;

    for (size_t i = 0; (k = kern_list(i, cpu_flags())); i++) {
        activations(k);
        rows(k);
        bits(k);
    }
    return done();
}
