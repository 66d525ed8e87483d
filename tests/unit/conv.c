/* threads */
/* Convolution: every kernel against double precision; the same bytes for any batch and number of threads. */
#include "lib/layer/conv.h"

#include <stdint.h>

#include "lib/base/cpu.h"
#include "tests/kern_ref.h"
#include "tests/kernels.h"
#include "tests/tap.h"

static uint32_t state = 1;

static float uniform(void) {
    state = state * 1664525 + 1013904223;
    return (float)(int32_t)state * 0x1p-31f;
}

static float *numbers(struct arena *a, size_t n, float scale) {
    float *p = arena_take(a, n, sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = scale * uniform();
    return p;
}

struct shape {
    size_t ci, co, side, stride, pad, y, x, n;
    bool behind;
};

static struct tensor weights(const struct shape *s, const void *data, enum dtype d) {
    struct tensor t = {.dtype = d, .nd = 4, .shape = {s->co, s->ci, s->side, s->side}, .data = data};

    tensor_contiguous(&t);
    return t;
}

static size_t out_side(const struct shape *s, size_t y) {
    return (y + (s->behind ? 1 : 2) * s->pad - s->side) / s->stride + 1;
}

/* relu(scale * conv(x) + bias + out), by the definition */
static double error(const struct compute *c, const struct shape *s, struct arena a) {
    size_t yo = out_side(s, s->y), xo = out_side(s, s->x), nout = s->n * yo * xo * s->co, taps = s->side * s->side;
    size_t before = s->behind ? 0 : s->pad;
    float *w = numbers(&a, s->co * s->ci * taps, 1), *scale = numbers(&a, s->co, 2), *bias = numbers(&a, s->co, 1);
    float *in = numbers(&a, s->n * s->y * s->x * s->ci, 1), *out = numbers(&a, nout, 1), *old = arena_take(&a, nout, 4);
    unsigned short *h = arena_take(&a, s->co * s->ci * taps, 2);
    struct tensor t = weights(s, h, DT_F16);
    struct conv k;
    struct err e = {0};
    double worst = 0;

    memcpy(old, out, nout * 4);
    for (size_t i = 0; i < s->co * s->ci * taps; i++)
        w[i] = f16_f32(h[i] = f32_f16(w[i]));
    if (conv_pack(&k, &t, scale, bias, s->stride, s->pad, c, &a, &e) < 0)
        return (double)NAN;
    k.behind = s->behind;
    conv_run(&k, c, s->n, s->y, s->x, in, out, ACT_RELU, out, arena_take(&a, conv_scratch(&k, c, s->n, s->y, s->x), 1));
    for (size_t i = 0; i < nout; i++) {
        size_t o = i % s->co, px = i / s->co % xo, py = i / s->co / xo % yo, pic = i / s->co / xo / yo;
        double sum = 0, want, d;

        for (size_t t2 = 0; t2 < taps; t2++) {
            size_t yy = py * s->stride + t2 / s->side - before, xx = px * s->stride + t2 % s->side - before;

            if (yy >= s->y || xx >= s->x)
                continue;
            for (size_t ch = 0; ch < s->ci; ch++) {
                float u = in[((pic * s->y + yy) * s->x + xx) * s->ci + ch], v = w[(o * s->ci + ch) * taps + t2] * scale[o];
                sum += (double)ref_row(c->kern, u) * (double)ref_weight(c->kern, v);
            }
        }
        want = fmax(0, sum + (double)bias[o] + (double)old[i]);
        d = fabs(want - (double)out[i]) / sqrt((double)(s->ci * taps));
        if (!(d <= worst))
            worst = d;
    }
    return worst;
}

static void shapes(const struct compute *c) {
    static const struct shape s[] = {
        {3, 32, 3, 2, 1, 14, 14, 2, false}, {3, 8, 3, 2, 1, 7, 9, 1, false}, {32, 64, 3, 1, 1, 9, 9, 1, false},
        {5, 1, 3, 1, 1, 1, 1, 3, false}, {64, 65, 3, 1, 1, 7, 5, 2, false}, {66, 6, 3, 1, 1, 12, 31, 1, false},
        {71, 70, 3, 1, 1, 4, 4, 1, false}, {400, 20, 3, 1, 1, 8, 8, 1, false}, {64, 96, 1, 1, 0, 6, 6, 2, false},
        {33, 10, 1, 1, 0, 5, 3, 1, false}, {64, 7, 1, 2, 0, 9, 9, 1, false}, {80, 40, 3, 2, 1, 11, 8, 1, false},
        {64, 16, 3, 1, 0, 6, 6, 1, false}, {1, 1, 1, 1, 0, 1, 1, 1, false}, {96, 130, 3, 1, 1, 24, 24, 2, false},
        {3, 20, 7, 1, 3, 9, 11, 2, false}, {70, 20, 7, 1, 3, 5, 6, 1, false}, {32, 20, 3, 2, 1, 8, 6, 2, true},
        {64, 20, 3, 2, 1, 6, 10, 1, true}, {66, 17, 3, 1, 1, 5, 4, 1, true},
    };
    TAP_ARENA(a, 24);
    double worst = 0;

    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        double e;

        if (!strcmp(c->kern->name, "c") && s[i].y > 20)
            continue;
        e = error(c, &s[i], a);
        worst = e <= worst ? worst : e;
    }
    ok(worst < 4e-6, "%s %s: 1, 3 and 7 on a side, strides, zeros behind only, channels (error / sqrt(k) %.2g)", c->kern->name,
       precision_name(c->kern->precision), worst);
    free(a_mem.base);
}

static void same_bytes(const struct kern *kern, struct pool *pools[], struct shape s) {
    TAP_ARENA(a, 24);
    size_t each_in = s.y * s.x * s.ci, each_out = out_side(&s, s.y) * out_side(&s, s.x) * s.co;
    float *w = numbers(&a, s.co * s.ci * s.side * s.side, 1), *in = numbers(&a, s.n * each_in, 1);
    float *want = arena_take(&a, s.n * each_out, 4), *got = arena_take(&a, s.n * each_out, 4);
    struct compute c = {kern, NULL};
    struct tensor t = weights(&s, w, DT_F32);
    struct conv k;
    struct err e = {0};
    int good = 1;

    conv_pack(&k, &t, NULL, NULL, s.stride, s.pad, &c, &a, &e);
    k.behind = s.behind;
    for (size_t i = 0; i < s.n; i++) {
        struct arena b = a;

        conv_run(&k, &c, 1, s.y, s.x, in + i * each_in, want + i * each_out, ACT_SILU, NULL,
                 arena_take(&b, conv_scratch(&k, &c, 1, s.y, s.x), 1));
    }
    for (int p = 0; p < 3; p++)
        for (size_t n = 1; n <= s.n; n++) {
            struct arena b = a;

            c.pool = pools[p];
            memset(got, 0xff, s.n * each_out * 4);
            conv_run(&k, &c, n, s.y, s.x, in, got, ACT_SILU, NULL, arena_take(&b, conv_scratch(&k, &c, n, s.y, s.x), 1));
            good &= !memcmp(want, got, n * each_out * 4);
        }
    ok(good, "%s %s: %zu channels, side %zu: the same bytes for any batch and threads", kern->name,
       precision_name(kern->precision), s.ci, s.side);
    free(a_mem.base);
}

/* ---- Winograd ---- */

/* Element i of an array that a C table wrote: f32 or bf16. */
static double item(const struct kern *table, const float *p, size_t i) {
    return (double)(table == &kern_c_bf16 ? bf16_f32(((const unsigned short *)p)[i]) : p[i]);
}

/* The definition in winograd.h, with the C table's transforms and sums in double: the four pixels of the tile
 * at ty, tx of a feature map, output channel o. */
static void tile_by_definition(const struct kern *k, const struct shape *s, const float *in, const void *g, size_t ty,
                               size_t tx, size_t o, float y[4]) {
    float m[16], zeros[256] = {0}, *const to[4] = {y, y + 1, y + 2, y + 3};
    static float v[16 * 256], u[16 * 256];    /* bf16 where the table has bf16 */
    const struct kern *rows = ref_rows_table(k), *table = ref_weights_table(k);
    const size_t at = o * 9 * s->ci * dtype_size(k->weight);
    const float *x[16];

    for (size_t i = 0; i < 16; i++) {
        size_t py = 2 * ty + i / 4 - 1, px = 2 * tx + i % 4 - 1;
        x[i] = py < s->y && px < s->x ? in + (py * s->x + px) * s->ci : zeros;
    }
    rows->win_in(s->ci, x, v, s->ci);
    table->win_weights(s->ci, (const char *)g + at, s->ci, u, s->ci);
    for (size_t i = 0; i < 16; i++) {
        double sum = 0;
        for (size_t c = 0; c < s->ci; c++)
            sum += item(table, u, i * s->ci + c) * item(rows, v, i * s->ci + c);
        m[i] = (float)sum;
    }
    kern_c.win_out(1, m, 1, to);
}

/* The largest difference from the definition, divided by sqrt(9 ci); and the RMS error of Winograd's and of the plain
 * convolution, relative to the exact one of numbers that were not rounded. */
static double winograd_error(const struct compute *c, struct shape s, double rms[2], struct arena a) {
    size_t pixels = s.y * s.x, nw = s.co * s.ci * 9;
    float *w = numbers(&a, nw, 1), *bias = numbers(&a, s.co, 1), *in = numbers(&a, pixels * s.ci, 1);
    float *old = numbers(&a, pixels * s.co, 1), *out[2];
    unsigned short *half = arena_take(&a, nw, 2);    /* [co][9][ci], the order of the panels */
    float *g = arena_take(&a, nw, 4);
    struct tensor t = weights(&s, w, DT_F32);
    double worst = 0, all = 0, off[2] = {0};
    struct err e = {0};

    for (size_t i = 0; i < nw; i++) {
        size_t to = (i / 9 / s.ci * 9 + i % 9) * s.ci + i / 9 % s.ci;
        half[to] = f32_bf16(g[to] = w[i]);
    }
    for (int fast = 0; fast < 2; fast++) {
        struct arena b;
        struct conv k;

        out[fast] = numbers(&a, pixels * s.co, 1);
        conv_pack(&k, &t, NULL, bias, 1, 1, c, &a, &e);
        k.winograd = fast;
        b = a;
        conv_run(&k, c, 1, s.y, s.x, in, out[fast], ACT_NONE, old, arena_take(&b, conv_scratch(&k, c, 1, s.y, s.x), 1));
    }
    for (size_t i = 0; i < pixels * s.co; i++) {
        size_t o = i % s.co, y = i / s.co / s.x, x = i / s.co % s.x;
        double rest = (double)bias[o] + (double)old[i], sum = 0;
        float tile[4];

        tile_by_definition(c->kern, &s, in, c->kern->weight == DT_BF16 ? (const void *)half : g, y / 2, x / 2, o, tile);
        worst = fmax(worst, fabs((double)out[1][i] - ((double)tile[y % 2 * 2 + x % 2] + rest)));
        for (size_t k = 0; k < 9; k++)
            for (size_t ch = 0; ch < s.ci && y + k / 3 - 1 < s.y && x + k % 3 - 1 < s.x; ch++)
                sum += (double)in[((y + k / 3 - 1) * s.x + x + k % 3 - 1) * s.ci + ch] * (double)w[(o * s.ci + ch) * 9 + k];
        all += sum * sum;
        for (int fast = 0; fast < 2; fast++)
            off[fast] += pow((double)out[fast][i] - sum - rest, 2);
    }
    for (int fast = 0; fast < 2; fast++)
        rms[fast] = sqrt(off[fast] / all);
    return worst / sqrt(9 * (double)s.ci);
}

/* Bands that begin at even rows, any batch and number of threads give the bytes of one feature map on one thread. */
static int winograd_same(const struct kern *kern, struct pool *pools[], struct shape s, struct arena a) {
    size_t ni = s.y * s.x * s.ci, no = s.y * s.x * s.co;
    float *w = numbers(&a, s.co * s.ci * 9, 1), *in = numbers(&a, s.n * ni, 1), *padded = arena_zero(&a, ni + 2 * s.x * s.ci, 4);
    float *want = arena_take(&a, s.n * no, 4), *got = arena_take(&a, s.n * no, 4);
    struct compute c = {kern, NULL};
    struct tensor t = weights(&s, w, DT_F32);
    struct conv k;
    struct err e = {0};
    int good = 1;

    conv_pack(&k, &t, NULL, NULL, 1, 1, &c, &a, &e);
    k.winograd = true;
    for (size_t i = 0; i < s.n; i++) {
        struct arena b = a;
        conv_run(&k, &c, 1, s.y, s.x, in + i * ni, want + i * no, ACT_NONE, NULL, arena_take(&b, conv_scratch(&k, &c, 1, s.y, s.x), 1));
    }
    memcpy(padded + s.x * s.ci, in, ni * 4);
    for (int p = 0; p < 3; p++) {
        struct arena b = a;

        c.pool = pools[p];
        memset(got, 0xff, s.n * no * 4);
        conv_run(&k, &c, s.n, s.y, s.x, in, got, ACT_NONE, NULL, arena_take(&b, conv_scratch(&k, &c, s.n, s.y, s.x), 1));
        good &= !memcmp(want, got, s.n * no * 4);
        for (size_t rows = 2; rows < s.y + 2; rows += 2) {
            void *scratch = (b = a, arena_take(&b, conv_band_scratch(&k, &c, rows + 2, s.x), 1));

            memset(got, 0xff, no * 4);
            for (size_t y = 0; y < s.y; y += rows) {
                size_t some = s.y - y < rows ? s.y - y : rows;
                conv_run_band(&k, &c, some + 2, s.x, padded + y * s.x * s.ci, got + y * s.x * s.co, ACT_NONE, NULL, y > 0, scratch);
            }
            good &= !memcmp(want, got, no * 4);
        }
    }
    return good;
}

/* So many weights that they are transformed in parts: the last channels equal those of a convolution of their own. */
static int winograd_parts(const struct compute *c) {
    struct shape all = {2048, 640, 3, 1, 1, 2, 16, 1, false}, few = {2048, 64, 3, 1, 1, 2, 16, 1, false};
    size_t pixels = all.y * all.x, rest = all.co - few.co;
    TAP_ARENA(a, 200);
    float *w = numbers(&a, all.co * all.ci * 9, 1), *in = numbers(&a, pixels * all.ci, 1);
    float *want = arena_take(&a, pixels * few.co, 4), *got = arena_take(&a, pixels * all.co, 4);
    int good = 1;

    for (int part = 0; part < 2; part++) {
        struct tensor t = weights(part ? &few : &all, part ? w + rest * all.ci * 9 : w, DT_F32);
        struct arena b = a;
        struct err e = {0};
        struct conv k;

        conv_pack(&k, &t, NULL, NULL, 1, 1, c, &b, &e);
        k.winograd = true;
        conv_run(&k, c, 1, all.y, all.x, in, part ? want : got, ACT_NONE, NULL, arena_take(&b, conv_scratch(&k, c, 1, all.y, all.x), 1));
    }
    for (size_t i = 0; i < pixels; i++)
        good &= !memcmp(want + i * few.co, got + i * all.co + rest, few.co * 4);
    free(a_mem.base);
    return good;
}

static void winograd(const struct kern *kern, struct pool *pools[]) {
    static const struct shape s[] = {
        {32, 70, 3, 1, 1, 5, 17, 1, false}, {34, 16, 3, 1, 1, 16, 16, 1, false}, {96, 64, 3, 1, 1, 3, 33, 1, false},
        {64, 130, 3, 1, 1, 24, 24, 1, false}, {160, 20, 3, 1, 1, 1, 19, 1, false},
    };
    struct compute c = {kern, pools[1]};
    TAP_ARENA(a, 24);
    double worst = 0, rms[sizeof s / sizeof *s][2];
    char name[40];

    snprintf(name, sizeof name, "winograd, %s %s", kern->name, precision_name(kern->precision));
    for (size_t i = 0; i < sizeof s / sizeof *s; i++)
        worst = fmax(worst, winograd_error(&c, s[i], rms[i], a));
    ok(worst < 2e-6, "%s: as its definition (error / sqrt(k) %.2g)", name, worst);
    ok(rms[3][0] < (kern->precision ? 3e-3 : 3e-7) && rms[3][1] < 2.2 * rms[3][0], "%s: RMS error %.3g of the result, the plain way %.3g", name,
       rms[3][1], rms[3][0]);
    ok(winograd_same(kern, pools, (struct shape){32, 70, 3, 1, 1, 21, 19, 3, false}, a) &&
       winograd_same(kern, pools, (struct shape){48, 200, 3, 1, 1, 6, 16, 2, false}, a) &&
       winograd_same(kern, pools, (struct shape){40, 64, 3, 1, 1, 33, 64, 2, false}, a),
       "%s: the same bytes for any batch, bands and threads", name);
    ok(winograd_parts(&c), "%s: weights in parts", name);
    free(a_mem.base);
}

int main(void) {
    const char *arch = cpu_blis_arch();    /* as programs do */
    TAP_ARENA(a, 1);
    struct err e = {0};
    struct pool *pools[] = {NULL, pool_start(&a, 2, &e), pool_start(&a, 5, &e)};
    struct compute c1 = {&kern_c, NULL};
    struct tensor flat = {.dtype = DT_F32, .nd = 2, .shape = {1, 1}, .stride = {1, 1}, .data = &c1};
    struct conv k1;
    const struct kern *k;

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    for (size_t i = 0; (k = kern_tried(i)); i++) {
        struct compute c = {k, pools[1]};

        if (k->panel)
            winograd(k, pools);
        shapes(&c);
        same_bytes(k, pools, (struct shape){3, 16, 3, 2, 1, 10, 10, 4, false});
        same_bytes(k, pools, (struct shape){64, 24, 3, 2, 1, 8, 6, 3, true});
        same_bytes(k, pools, (struct shape){64, 24, 3, 1, 1, 7, 7, 5, false});
        same_bytes(k, pools, (struct shape){40, 24, 1, 1, 0, 7, 7, 5, false});
    }
    ok(conv_pack(&k1, &flat, NULL, NULL, 1, 0, &c1, &a, &e) < 0 && !strcmp(e.msg, "a convolution's weights are not [out, in, side, side]"), "%s", e.msg);
    pool_stop(pools[1]);
    pool_stop(pools[2]);
    free(a_mem.base);
    return done();
}
