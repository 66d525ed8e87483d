/* Every table of kernels that this CPU can run, against the C kernels and against double
 * precision: all tails, unaligned, with NaN beyond the end of every input. */
#include "lib/kernel/kern.h"

#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cpu.h"
#include "lib/base/tensor.h"
#include "lib/kernel/panel.h"
#include "tests/guarded.h"
#include "tests/kern_ref.h"
#include "tests/tap.h"

enum { ROOM = 4096 };

static float *numbers(size_t n, float scale) {
    float *p = malloc((n + 1) * sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = scale * uniform();
    return p;
}

static double worst(const float *a, const float *b, size_t n) {
    double w = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= w))
            w = d;
    }
    return w;
}

static double max2(double a, double b) {
    return a > b || isnan(a) ? a : b;
}

/* ---- rows ---- */

static void softmax(const struct kern *k, size_t n, float scale, float *x) {
    float sum = k->exps(n, scale, x);

    k->scale(n, 1 / sum, x);
}

static void rows(const struct kern *k) {
    static float rx[ROOM], ry[ROOM], rg[ROOM], rb[ROOM];
    double dot = 0, soft = 0, norm = 0, axpy = 0, act[6] = {0};
    float want[1100], got[1100];
    int clean = 1, scale = 1;

    for (size_t n = 0; n < 1100; n += n < 140 ? 1 : 97) {
        float *x = guarded(rx, ROOM, n, 5), *y = guarded(ry, ROOM, n, 1), *g = guarded(rg, ROOM, n, 1), *b = guarded(rb, ROOM, n, 1);
        double s = 0;

        for (size_t i = 0; i < n; i++)
            s += (double)x[i] * (double)y[i];
        dot = max2(dot, fabs((double)k->dot(n, x, y) - s) / sqrt((double)n + 1));
        for (int a = ACT_NONE; a <= ACT_SILU; a++) {
            kern_c.act(n, (enum act)a, x, want);
            k->act(n, (enum act)a, x, got);
            act[a] = max2(act[a], worst(got, want, n));
        }
        memcpy(want, y, n * 4);
        kern_c.axpy(n, 0.7f, x, want);
        k->axpy(n, 0.7f, x, y);
        axpy = max2(axpy, worst(y, want, n));
        clean &= untouched(ry, ROOM, n);
        kern_c.scale(n, 0.3f, want);
        memcpy(got, y, n * 4);
        kern_c.scale(n, 0.3f, got);
        k->scale(n, 0.3f, y);
        scale &= !n || !memcmp(got, y, n * 4);
        clean &= untouched(ry, ROOM, n);
        if (!n)
            continue;
        memcpy(want, x, n * 4);
        kern_c.norm(n, want, g, b, 1e-5f, want);
        k->norm(n, x, g, b, 1e-5f, y);
        norm = max2(norm, worst(y, want, n));
        memcpy(want, x, n * 4);
        softmax(&kern_c, n, 2, want);
        softmax(k, n, 2, x);
        soft = max2(soft, worst(x, want, n));
        clean &= untouched(rx, ROOM, n) && untouched(ry, ROOM, n) && untouched(rg, ROOM, n);
    }
    printf("# %s: against C: dot %.2g, axpy %.2g, norm %.2g, softmax %.2g, acts %.2g %.2g %.2g %.2g %.2g %.2g\n",
           k->name, dot, axpy, norm, soft, act[0], act[1], act[2], act[3], act[4], act[5]);
    ok(clean, "%s: nothing is written beyond the end", k->name);
    ok(scale, "%s: scale is exact", k->name);
    ok(dot < (k->gemm != kern_c.gemm && k->gemm != kern_c_bf16.gemm ? 1.5e-6 : 8e-6), "%s: dot", k->name);
    ok(axpy < 1e-6, "%s: axpy", k->name);
    ok(norm < 2e-6, "%s: norm", k->name);
    ok(soft < 4e-7, "%s: softmax", k->name);
    ok(act[ACT_NONE] == 0 && act[ACT_RELU] == 0 && act[ACT_QUICK_GELU] < 2e-6 &&
       act[ACT_GELU] < 2e-6 && act[ACT_GELU_TANH] < 3e-6 && act[ACT_SILU] < 2e-6,
       "%s: activations agree with C", k->name);
}

/* Columns of feature maps: every table gives the same bits for the statistics. */
static void channels(const struct kern *k) {
    static float rx[ROOM], rm[ROOM], ra[ROOM], ry[ROOM];
    double s[160], q[160], ws[160], wq[160], worst_of = 0;
    int same = 1, clean = 1;

    for (size_t n = 1; n < 150; n += n < 40 ? 1 : 13)
        for (size_t m = 0; m < 12; m += 5) {
            size_t ld = n + 3;
            float *x = guarded(rx, ROOM, m ? m * ld - 3 : 0, 2), *mul = guarded(rm, ROOM, n, 1), *add = guarded(ra, ROOM, n, 1);
            float *y = guarded(ry, ROOM, n, 1), want[160];

            kern_c.moments(m, n, x, ld, m == 5 ? add : NULL, ws, wq);
            k->moments(m, n, x, ld, m == 5 ? add : NULL, s, q);
            same &= !memcmp(s, ws, n * sizeof *s) && !memcmp(q, wq, n * sizeof *q);
            kern_c.affine(n, (enum act)(n % 6), mul, mul, add, want);
            k->affine(n, (enum act)(n % 6), mul, mul, add, y);
            worst_of = max2(worst_of, worst(y, want, n));
            clean &= untouched(ry, ROOM, n);
        }
    ok(same, "%s: moments are equal to the last bit", k->name);
    ok(worst_of < 2e-6 && clean, "%s: act(x * mul + add) (%.2g)", k->name, worst_of);
}

/* Winograd's transforms equal those of C to the last bit, for any n and strides. */
static void winograd(const struct kern *k) {
    static float rx[16][ROOM], ry[4][ROOM];
    static unsigned short g16[9 * 160];
    static float g32[9 * 160], u[17 * 160], wu[17 * 160];    /* u holds bf16 where the table does */
    const struct kern *cw = ref_weights_table(k), *ca = ref_rows_table(k);
    const void *g = cw == &kern_c_bf16 ? (const void *)g16 : g32;
    int same = 1, clean = 1;

    for (size_t n = 1; n < 150; n += n < 70 ? 1 : 13) {
        size_t ld = n + 2;
        const float *x[16];
        float want[4][160], m[16 * 160], *y[4], *w[4];

        for (size_t i = 0; i < 16; i++)
            x[i] = guarded(rx[i], ROOM, n, 3);
        for (size_t i = 0; i < 9 * ld; i++)
            g16[i] = f32_bf16(g32[i] = uniform());
        for (size_t i = 0; i < 16 * ld; i++)
            m[i] = i % ld < n ? uniform() : NAN;
        for (size_t i = 0; i < 4; i++)
            y[i] = guarded(ry[i], ROOM, n, 1), w[i] = want[i];
        memset(u, 0x55, sizeof u), memset(wu, 0x55, sizeof wu);
        cw->win_weights(n, g, ld, wu, ld), k->win_weights(n, g, ld, u, ld);
        same &= !memcmp(u, wu, sizeof u);
        ca->win_in(n, x, wu, ld), k->win_in(n, x, u, ld);
        same &= !memcmp(u, wu, sizeof u);
        kern_c.win_out(n, m, ld, w), k->win_out(n, m, ld, y);
        for (size_t i = 0; i < 4; i++) {
            same &= !memcmp(y[i], w[i], n * sizeof *y[i]);
            clean &= untouched(ry[i], ROOM, n);
        }
    }
    ok(same && clean, "%s: Winograd's transforms are equal to the last bit", k->name);
}

static double exact_act(enum act a, double x) {
    switch (a) {
    case ACT_NONE: return x;
    case ACT_RELU: return x < 0 ? 0 : x;
    case ACT_QUICK_GELU: return x / (1 + exp(-(double)1.702f * x));
    case ACT_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case ACT_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case ACT_SILU: return x / (1 + exp(-x));
    }
    return 0;
}

/* The largest |error| / |x| on a fine sweep that crosses every branch, and the error of exp in ULP. */
static void accuracy(const struct kern *k) {
    static const double allowed[] = {0, 0, 4e-7, 5e-7, 5e-7, 4e-7};
    double seen[6] = {0}, ulp = 0;
    float x[64], y[64];

    for (int a = ACT_NONE; a <= ACT_SILU; a++)
        for (double at = -100; at < 100; at += 64 * 0.0011) {
            for (int i = 0; i < 64; i++)
                x[i] = (float)(at + i * 0.0011);
            k->act(64, (enum act)a, x, y);
            for (int i = 0; i < 64; i++) {
                double d = fabs((double)y[i] - exact_act((enum act)a, (double)x[i]));
                seen[a] = max2(seen[a], d / (fabs((double)x[i]) + 1e-30));
            }
        }
    for (double at = -87; at < 0; at += 0.0007) {    /* exp alone */
        float p[2] = {0, (float)at};
        double want = exp((double)p[1]);
        int e;

        k->exps(2, 1, p);
        frexp(want, &e);
        ulp = max2(ulp, fabs((double)p[1] - want) / ldexp(1, e - 24));
    }
    printf("# %s: |error| / |x|: quick_gelu %.2g, gelu %.2g, gelu_tanh %.2g, silu %.2g; exp %.3g ULP\n",
           k->name, seen[2], seen[3], seen[4], seen[5], ulp);
    for (int a = ACT_NONE; a <= ACT_SILU; a++)
        ok(seen[a] <= allowed[a], "%s: activation %d is within %g |x|", k->name, a, allowed[a]);
    ok(ulp < 1.5, "%s: exp is within 1.5 ULP", k->name);
}

static void specials(const struct kern *k) {
    float x[37], y[37];
    int good = 1;

    for (int i = 0; i < 37; i++)
        x[i] = i % 5 == 0 ? NAN : i % 5 == 1 ? INFINITY : 1;
    for (int a = ACT_NONE; a <= ACT_SILU; a++) {
        k->act(37, (enum act)a, x, y);
        for (int i = 0; i < 37; i++)
            good &= i % 5 == 0 ? isnan(y[i]) : i % 5 == 1 ? y[i] == INFINITY : isfinite(y[i]);
    }
    ok(good, "%s: activations pass NaN and infinity on", k->name);
    for (int i = 0; i < 37; i++)
        x[i] = i % 3 ? -INFINITY : (float)i;
    softmax(k, 37, 1, x);
    x[36] -= 1;
    good = 1;
    for (int i = 1; i < 37; i++)
        good &= i % 3 ? x[i] == 0 : isfinite(x[i]);
    ok(good, "%s: a masked key (-infinity) gets exactly 0", k->name);
    x[0] = -110, x[1] = 0;
    softmax(k, 2, 1, x);
    ok(x[0] == 0 && x[1] == 1, "%s: exp(-110) is 0", k->name);
    x[5] = NAN;
    softmax(k, 37, 1, x);
    ok(isnan(x[0]) && isnan(x[36]), "%s: softmax of a row with NaN is NaN", k->name);
}

static void halves(const struct kern *k) {
    static unsigned short h[65536 + 3], back[65536];
    static float f[65536];
    int bad16 = 0, badb = 0, bad = 0;

    for (unsigned i = 0; i < 65536; i++)
        h[i + 3] = (unsigned short)i;
    k->f16_f32(65536, h + 3, f);
    for (unsigned i = 0; i < 65536; i++) {
        float want = f16_f32((unsigned short)i);
        bad16 += isnan(want) ? !isnan(f[i]) : memcmp(&want, &f[i], 4) != 0;
    }
    k->bf16_f32(65536, h + 3, f);
    for (unsigned i = 0; i < 65536; i++) {
        float want = bf16_f32((unsigned short)i);
        badb += memcmp(&want, &f[i], 4) != 0;
    }
    ok(!bad16 && !badb, "%s: all 65,536 f16 and bf16 widen exactly", k->name);
    for (unsigned i = 0; i < 65536; i++) {
        uint32_t u = i << 16 | (i * 40503u & 0xffff);    /* every exponent, any tail */
        if (i % 7 == 0)
            u = (u & 0xffff0000) | 0x8000;               /* ties */
        if (i % 7 == 1)
            u = (u & 0xffffe000) | 0x1000;
        memcpy(&f[i], &u, 4);
    }
    k->f32_bf16(65533, f + 3, back);
    for (unsigned i = 0; i < 65533; i++)
        bad += isnan(f[i + 3]) ? !isnan(bf16_f32(back[i])) : back[i] != f32_bf16(f[i + 3]);
    ok(!bad, "%s: f32 narrows to bf16, to nearest even", k->name);
}

/* ---- products ---- */

static void reference(const struct kern *k, size_t m, size_t n, size_t kk, const float *a, size_t lda,
                      const float *w, size_t rs, size_t cs, double *c) {
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double s = 0;
            for (size_t p = 0; p < kk; p++) {
                s += (double)ref_row(k, a[i * lda + p]) * (double)ref_weight(k, w[j * rs + p * cs]);
            }
            c[i * n + j] = s;
        }
}

static double gemm_error(const struct kern *k, size_t m, size_t n, size_t kk, int transposed) {
    size_t lda = kk + 3, rs = transposed ? 1 : kk + 1, cs = transposed ? n + 2 : 1, ldc = n + 5;
    float *a = numbers(m * lda, 1), *w = numbers(transposed ? kk * cs : n * rs, 1), *c = numbers(m * ldc, 1);
    double *want = malloc(m * n * sizeof *want), e = 0;

    reference(k, m, n, kk, a, lda, w, rs, cs, want);
    for (size_t i = 0; i < m * ldc; i++)
        c[i] = NAN;    /* must be overwritten, not added to */
    k->gemm(m, n, kk, a, lda, w, rs, cs, c, ldc);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            e = max2(e, fabs((double)c[i * ldc + j] - want[i * n + j]) / sqrt((double)kk));
    free(a), free(w), free(c), free(want);
    return e;
}

/* As gemm_error, by pack and tile.  Each row of a has its own memory and ends where that ends. */
static double tile_error(const struct kern *k, size_t m, size_t n, size_t kk, int transposed) {
    size_t rs = transposed ? 1 : kk, cs = transposed ? n : 1, kt = k->row == DT_BF16 ? kern_k(k, kk) : kk;
    float *a = numbers(m * kk, 1), *w = numbers(n * kk, 1), *c;
    char *packed = aligned_alloc(64, (panel_bytes(k, kk) + 63) / 64 * 64);
    double *want = malloc(m * n * sizeof *want), e = 0;
    const void **row = malloc(m * sizeof *row);
    void **mem = malloc(m * sizeof *mem);

    reference(k, m, n, kk, a, kk, w, rs, cs, want);
    c = aligned_alloc(64, m * k->panel * sizeof *c);
    for (size_t i = 0; i < m * k->panel; i++)
        c[i] = NAN;
    memset(packed, 0xff, panel_bytes(k, kk));
    k->pack(packed, w, rs, cs, n, kk);
    for (size_t j = 0; k->weight == DT_BF16 && kk % 2 && j < k->panel; j++) {
        unsigned short odd;    /* of each column: the second of its last pair */

        memcpy(&odd, packed + ((kk / 2 * k->panel + j) * 2 + 1) * 2, 2);
        e = max2(e, odd ? 1 : 0);
    }
    for (size_t i = 0; i < m; i++) {
        row[i] = mem[i] = malloc(kt * dtype_size(k->row));
        if (k->row == DT_BF16) {
            memset(mem[i], 0, kt * 2);
            k->f32_bf16(kk, a + i * kk, mem[i]);
        } else {
            memcpy(mem[i], a + i * kk, kk * 4);
        }
    }
    panel_times(k, m, n, row, kt, packed, c, k->panel, false, NULL);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            e = max2(e, fabs((double)c[i * k->panel + j] - want[i * n + j]) / sqrt((double)kk));
    for (size_t i = 0; i < m; i++)
        free(mem[i]);
    free(a), free(w), free(c), free(want), free(row), free(mem), free(packed);
    return e;
}

static void products(const struct kern *k) {
    double e = 0;

    for (size_t m = 1; m <= 27; m += m < 8 ? 1 : 3)
        for (size_t n = 1; n <= 67; n += n < 18 ? 1 : 7)
            for (size_t kk = 1; kk <= 40; kk += kk < 9 ? 1 : 5) {
                size_t nn = k->panel && n > k->panel ? k->panel : n;
                int t = (m + n + kk) % 2;
                e = max2(e, k->panel ? tile_error(k, m, nn, kk, t) : gemm_error(k, m, n, kk, t));
            }
    for (size_t kk = 380; kk < 2400; kk = kk * 5 / 4 + 1)    /* across the depth of a piece */
        for (size_t m = 1; m <= 20; m += 6)
            e = max2(e, k->panel ? tile_error(k, m, k->panel - 1, kk, 0) : gemm_error(k, m, 33, kk, 0));
    printf("# %s %s: error of products / sqrt(k) %.2g\n", k->name, precision_name(k->precision), e);
    ok(e < (k->gemm != kern_c.gemm && k->gemm != kern_c_bf16.gemm ? 2e-6 : 5e-6), "%s: products, all tails", k->name);
}

/* tile_widen gives the sums of tile to the bit and leaves the widened weights in wide. */
static void widening(const struct kern *k) {
    enum { DEEP = 41 };
    const size_t panel = k->panel;
    float *w = numbers(panel * DEEP, 1), *a = numbers(k->rows * DEEP, 1);
    float *c[2], *wide = aligned_alloc(64, DEEP * panel * sizeof *wide);
    char *packed = aligned_alloc(64, (panel_bytes(k, DEEP) + 63) / 64 * 64);
    size_t bad_sums = 0, bad_weights = 0;

    for (int i = 0; i < 2; i++)
        c[i] = aligned_alloc(64, k->rows * panel * sizeof *c[i]);
    for (size_t m = 1; m <= k->rows; m++)
        for (size_t n = 1; n <= panel; n++)
            for (size_t kk = 1; kk <= DEEP; kk += kk < 6 ? 1 : 5) {
                const void *row[16];
                bool add = (m + n + kk) % 2;

                for (size_t i = 0; i < m; i++)
                    row[i] = a + i * DEEP;
                for (size_t i = 0; i < k->rows * panel; i++)
                    c[0][i] = c[1][i] = (float)i;
                k->pack(packed, w, DEEP, 1, n, kk);
                memset(wide, 0xff, DEEP * panel * sizeof *wide);
                k->tile(m, n, kk, row, packed, c[0], panel, add, NULL, 0);
                k->tile_widen(m, n, kk, row, packed, c[1], panel, add, NULL, 0, wide);
                bad_sums += memcmp(c[0], c[1], k->rows * panel * sizeof *c[0]) != 0;
                for (size_t p = 0; p < kk; p++)
                    for (size_t j = 0; j < n; j++)
                        bad_weights += wide[p * panel + j] != ref_weight(k, w[j * DEEP + p]);
                k->f32->tile(m, n, kk, row, wide, c[1], panel, false, NULL, 0);
                k->tile(m, n, kk, row, packed, c[0], panel, false, NULL, 0);
                bad_sums += memcmp(c[0], c[1], k->rows * panel * sizeof *c[0]) != 0;
            }
    ok(panel == k->f32->panel && k->depth <= k->f32->depth && panel * k->depth <= KERN_WIDE && !bad_sums && !bad_weights,
       "%s: weights widened once: %zu other sums, %zu other weights", k->name, bad_sums, bad_weights);
    free(w), free(a), free(c[0]), free(c[1]), free(wide), free(packed);
}

#ifdef __SANITIZE_ADDRESS__
/* The loops of a tile are not instrumented (kern_check.inc).  Each of the four ranges that a tile uses is given a few
 * bytes less than it needs, in a process of its own, which AddressSanitizer must end. */
static void checked(const struct kern *k) {
    enum { DEEP = 8 };
    const size_t panel = k->panel, row_bytes = DEEP * dtype_size(k->row);
    int ended = 0, whole = 0;

    for (int lack = 0; lack < 5; lack++) {
        int status;
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            char *packed = calloc(1, panel_bytes(k, DEEP) - (lack == 1 ? 2 : 0));
            float *c = calloc(1, panel * sizeof *c - (lack == 2 ? 2 : 0));
            float *wide = calloc(1, DEEP * panel * sizeof *wide - (lack == 3 ? 2 : 0));
            const void *row[1] = {calloc(1, row_bytes - (lack == 4 ? 1 : 0))};

            close(STDERR_FILENO);
            if (lack == 3 && k->tile_widen)
                k->tile_widen(1, panel, DEEP, row, packed, c, panel, false, NULL, 0, wide);
            else
                k->tile(1, panel, DEEP, row, packed, c, panel, false, NULL, 0);
            _exit(0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            break;
        if (lack == 0 || (lack == 3 && !k->tile_widen))
            whole += status == 0;
        else
            ended += status != 0;
    }
    ok(whole == (k->tile_widen ? 1 : 2) && ended == 5 - whole, "%s: a tile that leaves its memory is found: %d of %d", k->name, ended, 5 - whole);
}
#endif

static void finishes(const struct kern *k) {
    double e = 0;
    int clean = 1;

    for (size_t n = 1; n < 50; n++)
        for (int with = 0; with < 8; with++) {
            static float ry[ROOM], rb[ROOM], rw[ROOM];
            size_t m = 3, ld = n + 1;
            float *c = numbers(m * (n + 2), 3), *y, *b, *want;
            struct kern_out o = {.act = (enum act)(n % 6), .act_last = with & 4, .ldy = ld};

            y = guarded(ry, ROOM, m * ld - 1, 1);
            b = guarded(rb, ROOM, n, 1);
            memcpy(rw, ry, sizeof rw);
            want = rw + 17;
            o.bias = with & 1 ? b : NULL;
            o.y = want;
            o.residual = with & 2 ? want : NULL;    /* y += ... */
            kern_c.finish(&o, m, n, c, n + 2);
            o.y = y;
            o.residual = with & 2 ? y : NULL;
            k->finish(&o, m, n, c, n + 2);
            e = max2(e, worst(y, want, m * ld - 1));
            clean &= untouched(ry, ROOM, m * ld - 1);
            free(c);
        }
    ok(e < 2e-6 && clean, "%s: bias, activation, residual (%.2g)", k->name, e);
}

static void choosing(void) {
    struct err e = {0};
#ifdef HAVE_BLIS
    ok(kern_choose("blis", PREC_F32, 0, &e) == &kern_blis, "blis by name");
    ok(kern_choose(NULL, PREC_F32, 0, &e) == &kern_blis, "without vectors, BLIS");
    ok(!kern_choose("blis", PREC_BF16, ~0u, &e) && !strcmp(e.msg, "kernel blis has no precision bf16"), "%s", e.msg);
    e.msg[0] = 0;
#else
    ok(kern_choose(NULL, PREC_F32, 0, &e) == &kern_c, "without vectors and BLIS, C");
#endif
#ifdef KERNELS_x86_64
    const unsigned all = CPU_AVX2 | CPU_AVX512 | CPU_BF16;

    ok(kern_choose(NULL, PREC_F32, CPU_AVX2, &e) == &kern_avx2, "AVX2");
    ok(kern_choose(NULL, PREC_F32, all, &e) == &kern_avx512, "AVX-512");
    ok(kern_choose(NULL, PREC_BF16, all, &e) == &kern_bf16, "bf16");
    ok(kern_choose(NULL, PREC_BF16, CPU_AVX512 | CPU_AVX2, &e) == &kern_avx512_bf16, "bf16 by AVX-512");
    ok(kern_choose(NULL, PREC_BF16, CPU_AVX2, &e) == &kern_avx2_bf16, "bf16 by AVX2");
    ok(kern_choose("avx2", PREC_BF16, all, &e) == &kern_avx2_bf16, "a table for each precision");
    ok(!kern_choose("avx512", PREC_F32, CPU_AVX2, &e) && !strcmp(e.msg, "kernel avx512: this CPU cannot run it"), "%s", e.msg);
    e.msg[0] = 0;
#endif
    ok(!kern_choose(NULL, PREC_BF16, 0, &e) && !strcmp(e.msg, "no bf16 kernel for this CPU"), "%s", e.msg);
    e.msg[0] = 0;
    ok(kern_choose("c", PREC_BF16, 0, &e) == &kern_c_bf16, "the C kernels know bf16");
    ok(!kern_choose("sse9", PREC_F32, ~0u, &e) && !strcmp(e.msg, "no kernel is called sse9"), "%s", e.msg);
}

int main(void) {
    const struct kern *k;

    for (size_t i = 0; (k = kern_list(i, cpu_flags())); i++) {
        rows(k);
        channels(k);
        winograd(k);
        accuracy(k);
        specials(k);
        halves(k);
        products(k);
        if (k->tile_widen)
            widening(k);
        finishes(k);
#ifdef __SANITIZE_ADDRESS__
        if (k->panel)
            checked(k);
#endif
    }
    choosing();
#ifdef HAVE_BLIS
    printf("# BLIS %s, %s; it would want BLIS_ARCH_TYPE=%s\n", kern_blis_version(), kern_blis_arch(),
           cpu_blis_arch() ? cpu_blis_arch() : "(nothing)");
#endif
    return done();
}
