/* threads */
/* Attention and layer normalisation: every kernel against double precision; batches, threads and cached prefixes
 * do not change a bit. */
#include "lib/layer/attention.h"

#include <stdint.h>

#include "lib/base/cpu.h"
#include "lib/layer/norm.h"
#include "tests/kern_ref.h"
#include "tests/kernels.h"
#include "tests/tap.h"

static uint32_t state = 1;

static float uniform(void) {
    state = state * 1664525 + 1013904223;
    return (float)(int32_t)state * 0x1p-31f;
}

static float *numbers(struct arena *a, size_t n, float scale) {
    float *p = arena_take(a, n ? n : 1, sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = scale * uniform();
    return p;
}

static double rounded(float x, bool half) {
    return (double)(half ? bf16_f32(f32_bf16(x)) : x);
}

/* The result [H * d] of one query by the definition, from operands rounded to bf16 if the kernel rounds them. */
static void exact(const struct attention *a, const struct attention_seq *s, size_t i, bool half, double *o) {
    size_t d = a->width, nk = s->keys[0].n + s->keys[1].n, seen = a->causal ? nk - s->nq + i + 1 : nk;
    double *p = malloc(nk * sizeof *p);

    for (size_t h = 0; h < a->heads; h++) {
        double top = (double)-INFINITY, sum = 0;

        for (size_t j = 0; j < seen; j++) {
            const struct attention_keys *r = &s->keys[j >= s->keys[0].n];
            size_t at = j - (j >= s->keys[0].n ? s->keys[0].n : 0);

            p[j] = 0;
            for (size_t c = h * d; c < (h + 1) * d; c++)
                p[j] += rounded(s->q[i * s->ldq + c], half) * rounded(r->k[at * r->ld + c], half);
            p[j] *= (double)a->scale;
            top = fmax(top, p[j]);
        }
        for (size_t j = 0; j < seen; j++)
            sum += p[j] = exp(p[j] - top);
        for (size_t c = h * d; c < (h + 1) * d; c++) {
            o[c] = 0;
            for (size_t j = 0; j < seen; j++) {
                const struct attention_keys *r = &s->keys[j >= s->keys[0].n];
                size_t at = j - (j >= s->keys[0].n ? s->keys[0].n : 0);

                o[c] += p[j] / sum * rounded(r->v[at * r->ld + c], half);
            }
        }
    }
    free(p);
}

static double error(const struct compute *c, size_t heads, size_t d, size_t nq, size_t n0, size_t n1,
                    bool causal, struct arena arena) {
    struct attention a = {heads, d, 1 / sqrtf((float)d), causal};
    size_t w = heads * d, ld = 3 * w + 1, ld0 = 2 * w + 3;
    float *own = numbers(&arena, (n1 > nq ? n1 : nq) * ld, 2), *old = numbers(&arena, n0 * ld0 + 1, 2);
    float *o = arena_take(&arena, nq * (w + 2), 4);
    struct attention_seq s = {own, o, nq, ld, w + 2, {{old, old + w, n0, ld0}, {own + w, own + 2 * w, n1, ld}}, NULL};
    double worst = 0, *want = malloc(w * sizeof *want);

    attention_run(&a, c, 1, &s, arena_take(&arena, attention_scratch(&a, c, n0 + n1), 1));
    for (size_t i = 0; i < nq; i++) {
        exact(&a, &s, i, c->kern->panel && ref_rounds_rows(c->kern), want);
        for (size_t j = 0; j < w; j++) {
            double e = fabs(want[j] - (double)o[i * (w + 2) + j]);
            if (!(e <= worst))
                worst = e;
        }
    }
    free(want);
    return worst;
}

static void shapes(const struct compute *c) {
    static const size_t width[] = {64, 80, 88, 104, 1, 7, 16, 130};
    TAP_ARENA(arena, 40);
    double worst = 0, e;

    for (size_t i = 0; i < 8; i++)
        for (size_t nq = 1; nq < 90; nq += nq < 4 ? 1 : 40)
            for (size_t n0 = 0; n0 < 80; n0 += n0 ? 63 : 5) {
                e = error(c, 1 + i % 3, width[i], nq, n0, nq, true, arena);
                worst = e <= worst ? worst : e;
                e = error(c, 1 + i % 3, width[i], nq, n0, i + 1, false, arena);
                worst = e <= worst ? worst : e;
            }
    e = error(c, 1, 64, 50, 81, 1500, false, arena);    /* more keys than a tile takes at once */
    worst = e <= worst ? worst : e;
    e = error(c, 1, 8, 3, 0, 12000, false, arena);
    worst = e <= worst ? worst : e;
    /* bf16: each attention weight has a relative error of at most 2^-9, so the result is within 2^-9 of the largest value */
    ok(worst < (c->kern->row == DT_BF16 ? 0x1p-8 : 4e-6), "%s: error %.2g of values up to 2", c->kern->name, worst);
    free(arena_mem.base);
}

/* Six sequences of different lengths with a shared prefix give the same bytes together, alone, on many threads, in
 * place, and with the prefix in the first run or copied in front of the other keys. */
static void same_bytes(const struct kern *kern, struct pool *pools[], bool causal) {
    enum { N = 6, H = 3, D = 20, W = H * D, LD = 3 * W, P = 37, TOP = 131 };
    static const size_t len[N] = {1, 64, 131, 7, 90, 48};
    TAP_ARENA(arena, 16);
    struct attention a = {H, D, 0.3f, causal};
    struct compute one = {kern, NULL}, c = {kern, NULL};
    float *x = numbers(&arena, N * (P + TOP) * LD, 2), *want = numbers(&arena, N * TOP * W, 1);
    float *got = numbers(&arena, N * TOP * W, 1), *whole = numbers(&arena, N * (P + TOP) * LD, 1);
    struct attention_seq s[N], t[N];
    int together = 1, joined = 1, shorter = 1, place = 1;

    for (size_t i = 0; i < N; i++) {
        float *own = x + (P + i * TOP) * LD, *w = whole + i * (P + TOP) * LD;

        s[i] = (struct attention_seq){own, want + i * TOP * W, len[i], LD, W,
                                      {{x + W, x + 2 * W, P, LD}, {own + W, own + 2 * W, len[i], LD}}, NULL};
        attention_run(&a, &one, 1, &s[i], arena_take(&(struct arena){arena.at, arena.end, arena.mem}, attention_scratch(&a, &one, P + len[i]), 1));
        memcpy(w, x, P * LD * 4);
        memcpy(w + P * LD, own, len[i] * LD * 4);
    }
    for (int p = 0; p < 3; p++)
        for (size_t n = 1; n <= N; n++) {
            struct arena scratch = arena;

            c.pool = pools[p];
            memset(got, 0xff, N * TOP * W * 4);
            for (size_t i = 0; i < n; i++) {
                t[i] = s[i];
                t[i].o = got + i * TOP * W;
            }
            attention_run(&a, &c, n, t, arena_take(&scratch, attention_scratch(&a, &c, P + TOP), 1));
            for (size_t i = 0; i < n; i++)
                together &= !memcmp(t[i].o, s[i].o, len[i] * W * 4);
        }
    c.pool = NULL;
    for (size_t i = 0; i < N; i++) {
        float *w = whole + i * (P + TOP) * LD;
        struct arena scratch = arena;
        void *room = arena_take(&scratch, attention_scratch(&a, &c, P + TOP), 1);

        t[i] = s[i];
        t[i].o = got;
        t[i].keys[0].n = 0;
        t[i].keys[1] = (struct attention_keys){w + W, w + 2 * W, P + len[i], LD};
        attention_run(&a, &c, 1, &t[i], room);
        joined &= !memcmp(got, s[i].o, len[i] * W * 4);
        if (causal) {    /* the last third of the queries alone, and all but the last third */
            t[i].nq = (len[i] + 2) / 3;
            t[i].q = s[i].q + (len[i] - t[i].nq) * LD;
            attention_run(&a, &c, 1, &t[i], room);
            shorter &= !memcmp(got, s[i].o + (len[i] - t[i].nq) * W, t[i].nq * W * 4);
            t[i].q = s[i].q;
            t[i].keys[1].n = P + t[i].nq;
            attention_run(&a, &c, 1, &t[i], room);
            shorter &= !memcmp(got, s[i].o, t[i].nq * W * 4);
        }
        t[i] = s[i];
        t[i].o = (float *)(void *)(w + P * LD);    /* over its own q */
        t[i].q = t[i].o;
        t[i].ldo = LD;
        attention_run(&a, &c, 1, &t[i], room);
        for (size_t r = 0; r < len[i]; r++)
            place &= !memcmp(t[i].o + r * LD, s[i].o + r * W, W * 4);
    }
    ok(together, "%s%s: the same bytes alone, in a batch, on any threads", kern->name, causal ? ", causal" : "");
    ok(joined, "%s%s: and with the prefix in the other run", kern->name, causal ? ", causal" : "");
    ok(shorter, "%s%s: a row depends on the keys that it sees only", kern->name, causal ? ", causal" : "");
    ok(place, "%s%s: in place", kern->name, causal ? ", causal" : "");
    free(arena_mem.base);
}

static void norms(const struct kern *kern, struct pool *pool) {
    TAP_ARENA(arena, 8);
    struct compute one = {kern, NULL}, c = {kern, pool};
    size_t m = 45, d = 77;
    float *x = numbers(&arena, m * 80, 3), *g = numbers(&arena, d, 1), *b = numbers(&arena, d, 1);
    float *y = numbers(&arena, m * d, 1), *alone = numbers(&arena, m * d, 1), *want = numbers(&arena, m * d, 1);

    for (size_t i = 0; i < m; i++) {
        double mean = 0, var = 0;

        for (size_t j = 0; j < d; j++)
            mean += (double)x[i * 80 + j] / (double)d;
        for (size_t j = 0; j < d; j++)
            var += pow((double)x[i * 80 + j] - mean, 2) / (double)d;
        for (size_t j = 0; j < d; j++)
            want[i * d + j] = (float)(((double)x[i * 80 + j] - mean) / sqrt(var + 1e-5) * (double)g[j] + (double)b[j]);
        layer_norm(&one, 1, d, x + i * 80, 80, g, b, 1e-5f, alone + i * d, d);
    }
    layer_norm(&c, m, d, x, 80, g, b, 1e-5f, y, d);
    close_to(y, want, m * d, 1.5e-6, 0, "layer_norm");
    ok(!memcmp(y, alone, m * d * 4), "%s: a row's bytes do not depend on the others", kern->name);
    layer_norm(&c, m, d, x, 80, g, b, 1e-5f, x, 80);
    ok(!memcmp(x, alone, d * 4) && !memcmp(x + 80, alone + d, d * 4), "%s: in place", kern->name);
    free(arena_mem.base);
}

int main(void) {
    const char *arch = cpu_blis_arch();    /* as programs do */
    TAP_ARENA(a, 1);
    struct err e = {0};
    struct pool *pools[] = {NULL, pool_start(&a, 2, &e), pool_start(&a, 7, &e)};
    const struct kern *k;

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    for (size_t i = 0; (k = kern_tried(i)); i++) {
        struct compute c = {k, pools[1]};

        shapes(&c);
        same_bytes(k, pools, false);
        same_bytes(k, pools, true);
        norms(k, pools[2]);
    }
    pool_stop(pools[1]);
    pool_stop(pools[2]);
    free(a_mem.base);
    return done();
}
