#include "lib/layer/cached_attention.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/kernel/kern.h"

static size_t keys_of(const struct cached_query *q) {
    size_t n = 0;

    for (size_t i = 0; i < q->runs; i++)
        n += q->run[i].n;
    return n;
}

size_t cached_attention_scratch(const struct compute *c, size_t keys) {
    return (size_t)pool_threads(c->pool) * round_up(keys * sizeof(float), ARENA_ALIGN);
}

struct job {
    const struct cached_attention *a;
    const struct kern *kern;
    const struct cached_query *query;
    char *scratch;
    size_t stride;    /* bytes of scratch for each thread */
};

static void one_head(void *ctx, size_t task, int thread) {
    const struct job *j = ctx;
    const struct cached_query *s = &j->query[task / j->a->heads];
    const size_t d = j->a->width, column = task % j->a->heads * d;
    float *score = (float *)(void *)(j->scratch + (size_t)thread * j->stride), sum, *o = s->o + column;
    const float *q = s->q + column;
    size_t n = 0;

    for (size_t i = 0; i < s->runs; i++)
        for (size_t r = 0; r < s->run[i].n; r++)
            score[n++] = j->kern->dot(d, q, s->run[i].k + r * s->run[i].ld + column);
    sum = j->kern->exps(n, j->a->scale, score);
    memset(o, 0, d * sizeof *o);
    n = 0;
    for (size_t i = 0; i < s->runs; i++)
        for (size_t r = 0; r < s->run[i].n; r++)
            j->kern->axpy(d, score[n++], s->run[i].v + r * s->run[i].ld + column, o);
    j->kern->scale(d, 1 / sum, o);
}

void cached_attention_run(const struct cached_attention *a, const struct compute *c, size_t n,
                          const struct cached_query query[], void *scratch) {
    struct job j = {a, c->kern->f32, query, scratch, 0};
    size_t most = 0;

    for (size_t i = 0; i < n; i++)
        most = size_max(most, keys_of(&query[i]));
    j.stride = round_up(most * sizeof(float), ARENA_ALIGN);
    pool_run(c->pool, n * a->heads, one_head, &j);
}
