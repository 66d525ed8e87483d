/* threads */
/* The linear layer: every kernel against double precision; the same bytes for any batch and number of threads. */
#include "lib/layer/linear.h"

#include <stdint.h>

#include "lib/base/cpu.h"
#include "lib/kernel/panel.h"
#include "tests/kern_ref.h"
#include "tests/kernels.h"
#include "tests/tap.h"

static uint32_t state = 1;

static float uniform(void) {
    state = state * 1664525 + 1013904223;
    return (float)(int32_t)state * 0x1p-31f;
}

static struct tensor matrix(const void *data, enum dtype d, size_t n, size_t k) {
    struct tensor t = {.dtype = d, .nd = 2, .shape = {n, k}, .data = data};

    tensor_contiguous(&t);
    return t;
}

static struct tensor vector(const float *data, size_t n) {
    struct tensor t = {.dtype = DT_F32, .nd = 1, .shape = {n}, .data = data};

    tensor_contiguous(&t);
    return t;
}

static float *numbers(struct arena *a, size_t n, float scale) {
    float *p = arena_take(a, n, sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = scale * uniform();
    return p;
}

static float relu(float x) {
    return x > 0 ? x : 0;
}

/* y = relu(x W^T + b) + y */
static void against_double(struct compute *c, size_t m, size_t n, size_t k, double *worst, struct arena a) {
    size_t ldx = k + 1, ldy = n + 3;
    float *w = numbers(&a, n * k, 1), *b = numbers(&a, n, 1);
    float *x = numbers(&a, m * ldx, 1), *y = numbers(&a, m * ldy, 1), *y0 = arena_take(&a, m * ldy, 4);
    struct tensor tw = matrix(w, DT_F32, n, k), tb = vector(b, n);
    struct linear l;
    struct err e = {0};
    void *scratch;

    memcpy(y0, y, m * ldy * 4);
    if (linear_pack(&l, 1, &tw, &tb, c, &a, &e) < 0)
        ok(0, "%s", e.msg);
    scratch = arena_take(&a, linear_scratch(&l, c, m), 1);
    linear_run(&l, c, m, x, ldx, y, ldy, ACT_RELU, y, scratch);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldy; j++) {
            double s = 0, d;

            if (j >= n) {
                d = y[i * ldy + j] == y0[i * ldy + j] ? 0 : 1;    /* between the rows */
            } else {
                for (size_t p = 0; p < k; p++) {
                    s += (double)ref_row(c->kern, x[i * ldx + p]) * (double)ref_weight(c->kern, w[j * k + p]);
                }
                d = fabs((double)relu((float)(s + (double)b[j])) + (double)y0[i * ldy + j] - (double)y[i * ldy + j]) / sqrt((double)k);
            }
            if (!(d <= *worst))
                *worst = d;
        }
}

/* The transposed matrix is packed to the bytes that a matrix which lies transposed in memory is packed to.  With taps,
 * the k columns of each tap are transposed alone, and the taps change their order. */
static int turns(struct compute *c, size_t n, size_t k, size_t taps, struct arena a) {
    const struct kern *kern = c->kern;
    float *w = numbers(&a, n * taps * k, 1), *turned = numbers(&a, n * taps * k, 1);
    struct tensor tw = matrix(w, DT_F32, n, taps * k), tt = matrix(turned, DT_F32, k, taps * n);
    struct linear l, t, want;
    struct err e = {0};

    for (size_t i = 0; i < n; i++)
        for (size_t p = 0; p < taps; p++)
            for (size_t j = 0; j < k; j++)
                turned[(j * taps + taps - 1 - p) * n + i] = w[(i * taps + p) * k + j];
    if (linear_pack(&l, 1, &tw, NULL, c, &a, &e) < 0 || linear_transpose(&t, &l, taps, c, &a, &e) < 0 ||
        linear_pack(&want, 1, &tt, NULL, c, &a, &e) < 0)
        return 0;
    return t.n == k && t.k == taps * n && !t.bias &&
           !memcmp(t.packed, want.packed, kern->panel ? packed_bytes(kern, k, taps * n) : k * taps * n * sizeof(float));
}

static void transposes(struct compute *c) {
    static const size_t n[] = {1, 5, 16, 63, 65, 200}, k[] = {1, 2, 31, 64, 300};
    TAP_ARENA(a, 24);
    int good = 1;

    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        for (size_t j = 0; j < sizeof k / sizeof *k; j++)
            good &= turns(c, n[i], k[j], 1, a) && turns(c, n[i], k[j], 9, a);
    ok(good, "%s %s: a transposed matrix is that of its packed numbers", c->kern->name, precision_name(c->kern->precision));
}

static void shapes(struct compute *c) {
    static const size_t m[] = {1, 2, 5, 7, 13, 50, 400}, n[] = {1, 5, 16, 63, 64, 65, 200}, k[] = {1, 2, 31, 385, 800};
    TAP_ARENA(a, 24);
    double worst = 0;

    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 7; j++)
            for (size_t p = 0; p < 5; p++)
                if (m[i] * n[j] * k[p] < 4000000)
                    against_double(c, m[i], n[j], k[p], &worst, a);
    ok(worst < 4e-6, "%s %s: relu(x W^T + b) + y (error / sqrt(k) %.2g)", c->kern->name,
       precision_name(c->kern->precision), worst);
    free(a_mem.base);
}

/* A row of a batch of any size equals the row computed alone, bit for bit, with any number of threads. */
static void same_bytes(const struct kern *kern, struct pool *pools[], size_t npools, size_t top,
                       size_t n, size_t k) {
    TAP_ARENA(a, 16);
    float *w = numbers(&a, n * k, 1), *b = numbers(&a, n, 1), *x = numbers(&a, top * k, 1);
    float *want = arena_take(&a, top * n, 4), *y = arena_take(&a, top * n, 4);
    struct tensor tw = matrix(w, DT_F32, n, k), tb = vector(b, n);
    struct compute c = {kern, NULL};
    struct linear l;
    struct err e = {0};
    size_t bad = 0;

    if (linear_pack(&l, 1, &tw, &tb, &c, &a, &e) < 0)
        ok(0, "%s", e.msg);
    for (size_t i = 0; i < top; i++) {
        struct arena s = a;
        linear_run(&l, &c, 1, x + i * k, k, want + i * n, n, ACT_QUICK_GELU, NULL,
                   arena_take(&s, linear_scratch(&l, &c, 1), 1));
    }
    for (size_t p = 0; p < npools; p++)
        for (size_t m = 1; m <= top; m += p ? 13 : 1) {
            struct arena s = a;
            c.pool = pools[p];
            memset(y, 0xff, top * n * 4);
            linear_run(&l, &c, m, x, k, y, n, ACT_QUICK_GELU, NULL,
                       arena_take(&s, linear_scratch(&l, &c, m), 1));
            bad += memcmp(y, want, m * n * 4) != 0;
        }
    ok(!bad, "%s %s: %zu x %zu: the same bytes for 1 to %zu rows and any threads", kern->name,
       precision_name(kern->precision), n, k, top);
    free(a_mem.base);
}

/* q, k and v of an attention as one matrix; 16-bit and transposed sources. */
static void sources(struct compute *c) {
    enum { K = 70, M = 9 };
    TAP_ARENA(a, 4);
    float *w = numbers(&a, 3 * 30 * K, 1), *b = numbers(&a, 90, 1), *x = numbers(&a, M * K, 1);
    float *want = arena_take(&a, M * 90, 4), *y = arena_take(&a, M * 90, 4), *flip = arena_take(&a, 90 * K, 4);
    unsigned short *h = arena_take(&a, 90 * K, 2), *g = arena_take(&a, 90 * K + 1, 2);
    struct tensor one, part[3], bias[3], b1 = vector(b, 90);
    struct linear l;
    struct err e = {0};

    for (size_t i = 0; i < 90 * K; i++) {
        w[i] = f16_f32(f32_f16(bf16_f32(f32_bf16(w[i]))));    /* exact in both */
        h[i] = f32_f16(w[i]);
    }
    memcpy((char *)g + 1, h, 90 * K * 2);
    one = matrix(w, DT_F32, 90, K);
    for (size_t i = 0; i < 90; i++)
        for (size_t p = 0; p < K; p++)
            flip[p * 90 + i] = w[i * K + p];
    linear_pack(&l, 1, &one, &b1, c, &a, &e);
    linear_run(&l, c, M, x, K, want, 90, ACT_NONE, NULL, arena_take(&a, linear_scratch(&l, c, M), 1));
    for (int i = 0; i < 3; i++)
        bias[i] = vector(b + 30 * i, 30);
    part[0] = matrix(h, DT_F16, 30, K);
    part[1] = matrix((char *)g + 1 + 30 * K * 2, DT_F16, 30, K);
    part[2] = matrix(flip, DT_F32, K, 90);
    part[2] = tensor_transposed(&part[2]);
    part[2] = tensor_rows(&part[2], 60, 90);
    ok(linear_pack(&l, 3, part, bias, c, &a, &e) == 0 && l.n == 90, "%s: three parts", c->kern->name);
    linear_run(&l, c, M, x, K, y, 90, ACT_NONE, NULL, arena_take(&a, linear_scratch(&l, c, M), 1));
    ok(!memcmp(y, want, M * 90 * 4), "%s: f16, unaligned f16 and transposed parts give the same bytes",
       c->kern->name);
    for (size_t i = 0; i < 90 * K; i++)
        h[i] = f32_bf16(w[i]);
    one = matrix(h, DT_BF16, 90, K);
    linear_pack(&l, 1, &one, &b1, c, &a, &e);
    memset(y, 0xff, M * 90 * 4);
    linear_run(&l, c, M, x, K, y, 90, ACT_NONE, NULL, arena_take(&a, linear_scratch(&l, c, M), 1));
    ok(!memcmp(y, want, M * 90 * 4), "%s: so does bf16", c->kern->name);
    free(a_mem.base);
}

static void refusals(struct compute *c) {
    TAP_ARENA(a, 1);
    static float w[64], b[8];
    struct tensor t[2] = {matrix(w, DT_F32, 8, 8), matrix(w, DT_F32, 8, 7)}, bias = vector(b, 7), none = matrix(w, DT_F32, 0, 8);
    struct tensor huge = matrix(w, DT_F32, (size_t)1 << 40, (size_t)1 << 40), flat = vector(b, 8);
    struct linear l;
    struct err e = {0};

    ok(linear_pack(&l, 2, t, NULL, c, &a, &e) < 0 && !strcmp(e.msg, "matrices of 8 and 7 columns do not go together"), "%s", e.msg);
    e.msg[0] = 0;
    ok(linear_pack(&l, 1, t, &bias, c, &a, &e) < 0 && !strcmp(e.msg, "bias does not have the 8 elements of its matrix"), "%s", e.msg);
    e.msg[0] = 0;
    ok(linear_pack(&l, 1, &none, NULL, c, &a, &e) < 0 && !strcmp(e.msg, "a matrix of 0 x 8 is empty"), "%s", e.msg);
    e.msg[0] = 0;
    ok(linear_pack(&l, 1, &flat, NULL, c, &a, &e) < 0 && !strcmp(e.msg, "a matrix has 1 dimensions, not 2"), "%s", e.msg);
    e.msg[0] = 0;
    huge.dtype = DT_F16;
    ok(linear_pack(&l, 1, &huge, NULL, c, &a, &e) < 0 && strstr(e.msg, "no memory"), "%s: %s", c->kern->name, e.msg);
    free(a_mem.base);
}

int main(void) {
    const char *arch = cpu_blis_arch();    /* as programs do */
    TAP_ARENA(a, 1);
    struct err e = {0};
    struct pool *pools[] = {NULL, pool_start(&a, 2, &e), pool_start(&a, 5, &e)};
    const struct kern *k;

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    for (size_t i = 0; (k = kern_tried(i)); i++) {
        struct compute c = {k, pools[1]};
        int fast = strcmp(k->name, "c") != 0;

        shapes(&c);
        transposes(&c);
        same_bytes(k, pools, 3, fast ? 200 : 30, 97, 70);
        same_bytes(k, pools, 3, fast ? 200 : 9, 130, 1037);
        if (fast)
            same_bytes(k, pools + 1, 2, 500, 600, 65);
        sources(&c);
        refusals(&c);
    }
    pool_stop(pools[1]);
    pool_stop(pools[2]);
    free(a_mem.base);
    return done();
}
