#include "lib/diffusion/ar_sampler.h"

#include <math.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/diffusion/noise.h"
#include "lib/diffusion/token_draw.h"

double dot_weights(size_t v, const float *share, double quantile, double *weight) {
    double all = 0, below = 0, sum = 0;
    size_t last = 0;

    for (size_t i = 0; i < v; i++)
        all += (double)share[i];
    for (size_t i = 0; i < v; i++) {
        const double least = quantile * all, before = below;

        below += (double)share[i];
        weight[i] = below > least ? below - fmax(before, least) : 0;
        sum += weight[i];
        last = share[i] > 0 ? i : last;
    }
    if (!(sum > 0))    /* after rounding, no bucket has a share above a quantile close to 1: take the last */
        sum = weight[last] = 1;
    return sum;
}

size_t token_philox(void *ctx, unsigned at, size_t i, size_t v, const double *weight, double total) {
    const struct noise_key *k = ctx;

    (void)total;
    return token_pick(v, weight, token_uniform(k->seed, k->id, noise_sample(k, i), at));
}

/* A run of n candidates.  With guidance the rows of their n twins follow. */
struct run {
    const struct ar_prior_job *j;
    size_t n, rows, codes, v;
    const struct transformer_cache **past;    /* [rows] */
    struct transformer_cache *own;            /* [rows] */
    int *token;                               /* [rows] the token of each row that the network gets next */
    int *code;                                /* [n, K] */
    float *logits;                            /* [rows, V] */
    double *weight, *total;                   /* [n, V], [n] */
    void *scratch;
};

static int run_open(struct run *r, const struct ar_prior_job *j, struct arena *a, struct err *e) {
    const struct ar_prior_config *g = ar_prior_config_of(j->prior);
    const bool guided = j->guidance > 1;
    size_t row = 0, n = 0;

    for (size_t i = 0; i < j->ntexts; i++)
        n += j->text[i].n;
    *r = (struct run){.j = j, .n = n, .rows = guided ? 2 * n : n, .codes = g->codes, .v = g->buckets};
    r->past = arena_take(a, r->rows, sizeof *r->past);
    r->own = arena_take(a, r->rows, sizeof *r->own);
    r->token = arena_take(a, r->rows, sizeof *r->token);
    r->code = arena_take(a, n * r->codes, sizeof *r->code);
    r->logits = arena_take(a, r->rows * r->v, sizeof *r->logits);
    r->weight = arena_take(a, n * r->v, sizeof *r->weight);
    r->total = arena_take(a, n, sizeof *r->total);
    r->scratch = arena_take(a, ar_prior_scratch(j->prior, 0, r->rows), 1);
    if (!r->past || !r->own || !r->token || !r->code || !r->logits || !r->weight || !r->total || !r->scratch)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < j->ntexts; i++)
        for (size_t k = 0; k < j->text[i].n; k++)
            r->past[row++] = j->text[i].prefix;
    while (row < r->rows)
        r->past[row++] = j->empty;
    for (size_t i = 0; i < r->rows; i++)
        if (ar_prior_candidate(j->prior, &r->own[i], a) < 0)
            return err_set(e, "no memory for %zu candidates", n);
    return 0;
}

/* Picks token `at` of every candidate from its weights. */
static int pick(struct run *r, unsigned at, struct err *e) {
    for (size_t t = 0, row = 0; t < r->j->ntexts; t++) {
        const struct token_source *s = &r->j->text[t].source;

        for (size_t i = 0; i < r->j->text[t].n; i++, row++) {
            if (!(r->total[row] > 0))
                return err_set(e, "code %u: scores that are not numbers", at);
            r->token[row] = (int)s->pick(s->ctx, at, i, r->v, r->weight + row * r->v, r->total[row]);
            if (r->rows > r->n)
                r->token[r->n + row] = r->token[row];
        }
    }
    return 0;
}

/* Turns the scores of one candidate into weights. */
static void weigh(void *ctx, size_t i, int thread) {
    struct run *r = ctx;
    const struct token_rules rules = {TOKEN_HF, r->j->temperature, 1, 0};
    float *s = r->logits + i * r->v;

    (void)thread;
    if (r->rows > r->n)
        token_guide(r->v, r->logits + (r->n + i) * r->v, r->j->guidance, s);
    r->total[i] = token_weights(&rules, r->v, s, r->weight + i * r->v, NULL);
}

static bool report(const struct sampler_watch *w, size_t done, size_t steps) {
    return !w || !w->step || w->step(w->ctx, done, steps, NULL, NULL);
}

static int finish(const struct run *r, float *out, struct err *e) {
    const size_t size = r->n * ar_prior_config_of(r->j->prior)->embed;

    ar_prior_embedding(r->j->prior, r->n, r->code, out);
    for (size_t i = 0; i < size; i++)
        if (!isfinite(out[i]))
            return err_set(e, "an embedding that is not finite");
    return 0;
}

int sample_ar_prior(const struct ar_prior_job *j, const struct compute *c, float *out, int *tokens,
                    const struct sampler_watch *w, struct arena a, struct err *e) {
    struct run r;

    if (run_open(&r, j, &a, e) < 0)
        return -1;
    for (size_t i = 0; i < r.n; i++)
        r.total[i] = dot_weights(r.v, ar_prior_dots(j->prior), j->quantile, r.weight + i * r.v);
    for (size_t at = 0; at <= r.codes; at++) {
        if (pick(&r, (unsigned)at, e) < 0)
            return -1;
        for (size_t i = 0; i < r.n; i++) {
            if (tokens)
                tokens[i * (1 + r.codes) + at] = r.token[i];
            if (at)
                r.code[i * r.codes + at - 1] = r.token[i];
        }
        if (at < r.codes) {
            ar_prior_step(j->prior, c, at, r.rows, r.past, r.own, r.token, r.logits, r.scratch);
            pool_run(c->pool, r.n, weigh, &r);
        }
        if (!report(w, at, r.codes))
            return -1;
    }
    return finish(&r, out, e);
}
