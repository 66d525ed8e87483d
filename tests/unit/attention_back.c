/* threads */
/* The gradient of attention against its formulas in double precision, with the attention weights of the forward pass and
 * without: blocks of rows and their tails, one query, the same bytes for any number of threads. */
#include "lib/layer/attention_back.h"


#include "tests/kernels.h"
#include "tests/tap.h"

enum { MOST = 131 };

static float uniform(void) {
    static unsigned state = 1;

    state = state * 1664525 + 1013904223;
    return (float)(state >> 8) * 0x1p-23f - 1;
}

static float *numbers(struct arena *a, size_t n) {
    float *p = arena_take(a, n, sizeof *p);

    for (size_t i = 0; i < n; i++)
        p[i] = uniform();
    return p;
}

struct case_ {
    size_t n, nq, nk, heads, width, ldq, ldk;
    float *q, *kv, *dout, *p;        /* of all sequences; v stands behind k in a row */
    double *dq, *dk, *dv;            /* exact: rows of heads * width */
    float scale;
};

static void exact(const struct case_ *t, size_t i, size_t h) {
    static double p[MOST][MOST], ds[MOST][MOST];
    size_t d = t->width, at = h * d, all = t->heads * d;
    const float *q = t->q + i * t->nq * t->ldq + at, *o = t->dout + i * t->nq * t->ldq + at;
    const float *k = t->kv + i * t->nk * t->ldk + at, *v = k + all;
    double *dq = t->dq + i * t->nq * all + at, *dk = t->dk + i * t->nk * all + at, *dv = t->dv + i * t->nk * all + at;

    for (size_t r = 0; r < t->nq; r++) {
        double sum = 0, row = 0;

        for (size_t j = 0; j < t->nk; j++) {
            double s = 0;
            for (size_t c = 0; c < d; c++)
                s += (double)q[r * t->ldq + c] * (double)k[j * t->ldk + c];
            p[r][j] = exp(s * (double)t->scale);
            sum += p[r][j];
        }
        for (size_t j = 0; j < t->nk; j++) {
            p[r][j] /= sum;
            ds[r][j] = 0;
            for (size_t c = 0; c < d; c++)
                ds[r][j] += (double)o[r * t->ldq + c] * (double)v[j * t->ldk + c];
            row += p[r][j] * ds[r][j];
        }
        for (size_t j = 0; j < t->nk; j++)
            ds[r][j] = (double)t->scale * p[r][j] * (ds[r][j] - row);
    }
    for (size_t c = 0; c < d; c++) {
        for (size_t r = 0; r < t->nq; r++) {
            dq[r * all + c] = 0;
            for (size_t j = 0; j < t->nk; j++)
                dq[r * all + c] += ds[r][j] * (double)k[j * t->ldk + c];
        }
        for (size_t j = 0; j < t->nk; j++) {
            dk[j * all + c] = dv[j * all + c] = 0;
            for (size_t r = 0; r < t->nq; r++) {
                dk[j * all + c] += ds[r][j] * (double)q[r * t->ldq + c];
                dv[j * all + c] += p[r][j] * (double)o[r * t->ldq + c];
            }
        }
    }
}

/* Computes the gradients: dq in the place of a copy of dout.  `way` 0: weights from attention_run; 1: none. */
static void run(const struct case_ *t, const struct compute *c, int way, float *dq, float *dkv, struct arena a) {
    struct attention at = {t->heads, t->width, t->scale, false};
    struct attention_seq *f = arena_zero(&a, t->n, sizeof *f);
    struct attention_back_seq *b = arena_zero(&a, t->n, sizeof *b);
    float *o = arena_take(&a, t->n * t->nq * t->ldq, sizeof *o);
    void *scratch = arena_take(&a, attention_scratch(&at, c, t->nk) + attention_back_scratch(&at, c, t->nk), 1);
    size_t all = t->heads * t->width;

    memcpy(dq, t->dout, t->n * t->nq * t->ldq * sizeof *dq);
    for (size_t i = 0; i < t->n; i++) {
        const float *q = t->q + i * t->nq * t->ldq, *k = t->kv + i * t->nk * t->ldk;
        float *dk = dkv + i * t->nk * t->ldk, *p = t->p + i * t->heads * t->nq * t->nk, *own = dq + i * t->nq * t->ldq;

        f[i] = (struct attention_seq){.q = q, .o = o + i * t->nq * t->ldq, .nq = t->nq, .ldq = t->ldq, .ldo = t->ldq,
                                      .keys = {{0}, {k, k + all, t->nk, t->ldk}}, .p = p};
        b[i] = (struct attention_back_seq){.q = q, .k = k, .v = k + all, .dout = own, .p = way ? NULL : p, .dq = own,
                                           .dk = dk, .dv = dk + all, .nq = t->nq, .nk = t->nk, .ldq = t->ldq, .ldk = t->ldk};
    }
    if (!way)
        attention_run(&at, c, t->n, f, scratch);
    attention_back(&at, c, t->n, b, scratch);
}

static void compare(double *worst, const double *want, size_t n, size_t rows, size_t width, const float *got, size_t ld) {
    double top = 0, bad = 0;

    for (size_t r = 0; r < n * rows; r++)
        for (size_t c = 0; c < width; c++) {
            double d = fabs((double)got[r * ld + c] - want[r * width + c]);
            top = fmax(top, fabs(want[r * width + c]));
            if (!(d <= bad))
                bad = d;
        }
    if (top > 0 && !(bad / top <= *worst))
        *worst = bad / top;
}

static void sizes(const struct kern *k, size_t nq, size_t nk, size_t heads, size_t width, double *worst, int *same, struct arena a) {
    size_t all = heads * width;
    struct case_ t = {.n = 2, .nq = nq, .nk = nk, .heads = heads, .width = width, .ldq = all + 3, .ldk = 2 * all + 5,
                      .scale = 1 / sqrtf((float)width)};
    float *dq = arena_take(&a, t.n * nq * t.ldq, sizeof *dq), *dkv = arena_take(&a, t.n * nk * t.ldk, sizeof *dkv);
    float *dq2 = arena_take(&a, t.n * nq * t.ldq, sizeof *dq), *dkv2 = arena_take(&a, t.n * nk * t.ldk, sizeof *dkv);
    struct err e = {0};

    t.q = numbers(&a, t.n * nq * t.ldq);
    t.dout = numbers(&a, t.n * nq * t.ldq);
    t.kv = numbers(&a, t.n * nk * t.ldk);
    t.p = arena_take(&a, t.n * heads * nq * nk, sizeof *t.p);
    t.dq = arena_take(&a, t.n * nq * all, sizeof *t.dq);
    t.dk = arena_take(&a, t.n * nk * all, sizeof *t.dk);
    t.dv = arena_take(&a, t.n * nk * all, sizeof *t.dv);
    for (size_t i = 0; i < t.n; i++)
        for (size_t h = 0; h < heads; h++)
            exact(&t, i, h);
    for (int way = 0; way < 2; way++) {
        struct arena b = a;
        struct compute one = {k, NULL}, three = {k, pool_start(&b, 3, &e)};

        for (size_t i = 0; i < t.n * nk * t.ldk; i++)
            dkv[i] = dkv2[i] = 7;
        run(&t, &one, way, dq, dkv, b);
        compare(worst, t.dq, t.n, nq, all, dq, t.ldq);
        if (nk > 1)    /* else dK is 0, and nothing but rounding */
            compare(worst, t.dk, t.n, nk, all, dkv, t.ldk);
        compare(worst, t.dv, t.n, nk, all, dkv + all, t.ldk);
        for (size_t r = 0; r < t.n * nk; r++)
            *same &= dkv[r * t.ldk + 2 * all] == 7 && dkv[(r + 1) * t.ldk - 1] == 7;    /* between the rows */
        run(&t, &three, way, dq2, dkv2, b);
        *same &= !memcmp(dq, dq2, t.n * nq * t.ldq * sizeof *dq) && !memcmp(dkv, dkv2, t.n * nk * t.ldk * sizeof *dkv);
        pool_stop(three.pool);
    }
}

int main(void) {
    static const size_t keys[] = {2, 5, 17, 48, 49, 97, MOST};
    const struct kern *k;
    TAP_ARENA(a, 64);

    for (size_t i = 0; (k = kern_tried(i)); i++) {
        double worst = 0;
        int same = 1;

        if (k->precision == PREC_BF16)    /* its f32 table does the work */
            continue;
        for (size_t j = 0; j < sizeof keys / sizeof *keys; j++) {
            sizes(k, keys[j], keys[j], 3, 20, &worst, &same, a);
            sizes(k, 1, keys[j], 2, 64, &worst, &same, a);
            sizes(k, MOST, keys[j], 1, 7, &worst, &same, a);
        }
        printf("# %s: largest difference %.2g of the largest value\n", k->name, worst);
        ok(worst < 2e-6, "%s: gradients of queries, keys and values", k->name);
        ok(same, "%s: the same bytes with three threads, nothing between the rows", k->name);
    }
    free(a_mem.base);
    return done();
}
