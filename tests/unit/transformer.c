/* threads */
/* The transformer: one row of the last layer, a prefix taken from a cache, any batch and any number of threads give
 * the bytes of the plain run. */
#include "lib/base/size.h"
#include "lib/layer/transformer.h"

#include "tests/kernels.h"
#include "tests/tap.h"

#define TOLERANCE 4e-6
#define TOLERANCE_BF16 0.03

enum { D = 60, HEADS = 3, F = 100, LAYERS = 3, N = 4, ROWS = 40 };

static const struct transformer_names names = {
    .ln1 = "a", .q = "q", .k = "k", .v = "v", .out = "o", .ln2 = "b", .fc = "f", .proj = "p",
};

static float noise(void) {
    static unsigned seed = 1;

    seed = seed * 1664525 + 1013904223;
    return (float)(seed >> 8) * 0x1p-23f - 1;
}

static void *need(void *p, const char *what) {
    if (!p) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
    return p;
}

static void add(struct weights *ws, size_t layer, const char *name, int nd, size_t n, size_t k,
                struct arena *a) {
    struct weight *w = &ws->w[ws->n++];
    size_t count = nd == 2 ? n * k : n;
    float *x = need(arena_take(a, count, sizeof *x), "room");
    char full[64];

    snprintf(full, sizeof full, "block%zu.%s", layer, name);
    *w = (struct weight){.name = arena_str(a, full, strlen(full)),
                         .t = {.dtype = DT_F32, .nd = nd, .shape = {n, k}, .data = x}};
    tensor_contiguous(&w->t);
    for (size_t i = 0; i < count; i++)
        x[i] = nd == 2 ? noise() / sqrtf((float)k / 3) : noise();
}

static struct weights network(struct arena *a) {
    static const struct { const char *w, *b; size_t n, k; } linear[] = {
        {"q.weight", "q.bias", D, D}, {"k.weight", "k.bias", D, D}, {"v.weight", "v.bias", D, D},
        {"o.weight", "o.bias", D, D}, {"f.weight", "f.bias", F, D}, {"p.weight", "p.bias", D, F},
    };
    struct weights ws = {.w = need(arena_take(a, LAYERS * 16, sizeof *ws.w), "room")};

    for (size_t l = 0; l < LAYERS; l++) {
        add(&ws, l, "a.weight", 1, D, 0, a);
        add(&ws, l, "a.bias", 1, D, 0, a);
        add(&ws, l, "b.weight", 1, D, 0, a);
        add(&ws, l, "b.bias", 1, D, 0, a);
        for (size_t i = 0; i < 6; i++) {
            add(&ws, l, linear[i].w, 2, linear[i].n, linear[i].k, a);
            add(&ws, l, linear[i].b, 1, linear[i].n, 0, a);
        }
    }
    weights_sort(&ws, NULL);
    return ws;
}

static struct transformer bind(const struct weights *ws, const struct compute *c, bool causal,
                               struct arena *a) {
    struct transformer_config g = {LAYERS, D, HEADS, F, ACT_GELU, 1e-5f, causal};
    struct err e = {0};
    struct bind b = {.ws = ws, .c = c, .keep = a, .e = &e};
    struct transformer t;

    transformer_bind(&t, &g, &names, "block", &b);
    need(b.bad ? NULL : &t, e.msg);
    return t;
}

static void run(const struct transformer *t, const struct compute *c, struct transformer_run r,
                struct arena a) {
    size_t size = transformer_scratch(t, c, r.n, ROWS, ROWS);
    void *s = need(arena_take(&a, size, 1), "room");

    memset(s, 0xff, size);
    transformer_run(t, c, &r, s);
}

static const size_t len[N] = {7, 1, 20, 12}, row[N] = {3, 0, 19, 0};

/* All sequences at once and one by one; one row of each and all of them. */
static void batches(const struct transformer *t, const struct compute *c, const float *x,
                    const float *want, struct arena a, int *bad) {
    float got[ROWS * D], y[N * D];

    memcpy(got, x, sizeof got);
    run(t, c, (struct transformer_run){.n = N, .len = len, .x = got}, a);
    *bad += !!memcmp(got, want, sizeof got);
    memcpy(got, x, sizeof got);
    run(t, c, (struct transformer_run){.n = N, .len = len, .x = got, .row = row, .y = y}, a);
    for (size_t i = 0, at = 0; i < N; at += len[i++])
        *bad += !!memcmp(y + i * D, want + (at + row[i]) * D, D * sizeof *y);
}

/* A causal sequence in two or three parts, of which all but the last are in a cache. */
static void prefixes(const struct transformer *t, const struct compute *c, const float *x,
                     const float *want, struct arena a, int *bad) {
    size_t at = len[0] + len[1], all = len[2];
    void *s = need(arena_take(&a, transformer_scratch(t, c, 1, ROWS, ROWS), 1), "room");

    for (size_t cut = 1; cut < all; cut++)
        for (size_t first = 1; first <= cut; first += cut - 1 ? cut - 1 : 1) {
            struct transformer_cache cache = {.room = all};
            const struct transformer_cache *past = &cache;
            float part[ROWS * D], y[D];
            size_t rest = all - cut, last = rest - 1;
            struct arena b = a;
            cache.kv = need(arena_take(&b, LAYERS * cache.room * 2 * D, sizeof *cache.kv), "room");
            memcpy(part, x + at * D, all * D * sizeof *part);
            transformer_prefill(t, c, first, part, &cache, s);
            if (first < cut)
                transformer_prefill(t, c, cut - first, part + first * D, &cache, s);
            run(t, c, (struct transformer_run){.n = 1, .len = &rest, .x = part + cut * D, .past = &past}, b);
            *bad += !!memcmp(part + cut * D, want + (at + cut) * D, rest * D * sizeof *part);
            memcpy(part, x + (at + cut) * D, rest * D * sizeof *part);
            run(t, c, (struct transformer_run){.n = 1, .len = &rest, .x = part, .row = &last, .y = y,
                                               .past = &past}, b);
            *bad += !!memcmp(y, want + (at + all - 1) * D, sizeof y);
        }
}

/* Rows one after the other: sequence 2 after a prefix of 8 rows, and sequence 3 without a prefix, together and alone. */
static double steps(const struct transformer *t, const struct compute *c, const float *x, const float *want, struct arena a, int *bad) {
    enum { FIRST = 8, STEPS = 12 };
    const size_t at[2] = {len[0] + len[1] + FIRST, len[0] + len[1] + len[2]}, size = transformer_step_scratch(t, c, 2, ROWS);
    struct transformer_cache prefix = {.room = FIRST}, own[2][2];
    const struct transformer_cache *past[2] = {&prefix, NULL};
    float part[FIRST * D], got[2][2 * D];
    double worst = 0;
    void *s;

    prefix.kv = need(arena_take(&a, LAYERS * FIRST * 2 * D, sizeof *prefix.kv), "room");
    s = need(arena_take(&a, size_max(size, transformer_scratch(t, c, 1, ROWS, ROWS)), 1), "room");
    memcpy(part, x + (at[0] - FIRST) * D, sizeof part);
    transformer_prefill(t, c, FIRST, part, &prefix, s);
    for (int i = 0; i < 4; i++) {
        own[i / 2][i % 2] = (struct transformer_cache){.room = STEPS};
        own[i / 2][i % 2].kv = need(arena_take(&a, LAYERS * STEPS * 2 * D, sizeof(float)), "room");
    }
    for (size_t k = 0; k < STEPS; k++) {
        for (size_t i = 0; i < 2; i++)
            memcpy(got[0] + i * D, x + (at[i] + k) * D, D * sizeof(float));
        memcpy(got[1], got[0], sizeof got[0]);
        memset(s, 0xff, size);
        transformer_step(t, c, 2, got[0], past, own[0], s);
        for (size_t i = 0; i < 2; i++)
            transformer_step(t, c, 1, got[1] + i * D, past + i, &own[1][i], s);
        *bad += !!memcmp(got[0], got[1], sizeof got[0]);
        for (size_t i = 0; i < 2 * D; i++)
            worst = fmax(worst, fabs((double)(got[0][i] - want[(at[i / D] + k) * D + i % D])));
    }
    return worst;
}

int main(void) {
    static const int threads[] = {1, 2, 4};
    TAP_ARENA(a, 64);
    struct weights ws = network(&a);
    float x[ROWS * D], want[ROWS * D];
    struct err e = {0};

    for (size_t i = 0; i < ROWS * D; i++)
        x[i] = noise();
    for (size_t j = 0; kern_tried(j); j++)
        for (int causal = 0; causal < 2; causal++) {
            const struct kern *k = kern_tried(j);
            struct compute one = {k, NULL};
            struct arena b = a;
            struct transformer t = bind(&ws, &one, causal, &b);
            int bad = 0, cut = 0, alone = 0;
            double worst = 0;

            memcpy(want, x, sizeof want);
            for (size_t i = 0, at = 0; i < N; at += len[i++])
                run(&t, &one, (struct transformer_run){.n = 1, .len = len + i, .x = want + at * D}, b);
            for (int i = 0; i < 3; i++) {
                struct arena s = b;
                struct compute c = {k, need(pool_start(&s, threads[i], &e), e.msg)};
                batches(&t, &c, x, want, s, &bad);
                if (causal)
                    prefixes(&t, &c, x, want, s, &cut);
                if (causal)
                    worst = fmax(worst, steps(&t, &c, x, want, s, &alone));
                pool_stop(c.pool);
            }
            ok(!bad, "kernel %s, %s: batches, one row of the last layer, 1, 2, 4 threads", k->name,
               causal ? "causal" : "all keys");
            if (causal)
                ok(!cut, "kernel %s: prefixes from a cache", k->name);
            if (causal)
                ok(!alone && worst < (k->precision == PREC_BF16 ? TOLERANCE_BF16 : TOLERANCE), "kernel %s: row by row, as together: %.3g", k->name, worst);
        }
    free(a_mem.base);
    return done();
}
