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

/* Into how many parts the heads of a sequence are divided, each of which is a task.  A row of the cache is one stretch of memory, and is
 * read whole where there are so many sequences that the threads have about equal shares without parts. */
static size_t parts_of(size_t heads, size_t n, size_t threads) {
    size_t parts = 1;

    while (parts < heads && (heads % parts || (n * parts < 4 * threads && n * parts % threads)))
        parts++;
    return parts;
}

/* The weights of each head's keys, and after them the reciprocal of their sum. */
static size_t room(size_t heads, size_t keys) {
    return round_up(heads * (keys + 1) * sizeof(float), ARENA_ALIGN);
}

size_t cached_attention_scratch(size_t heads, const struct compute *c, size_t keys) {
    return (size_t)pool_threads(c->pool) * room(heads, keys);
}

struct job {
    const struct cached_attention *a;
    const struct kern *kern;
    const struct cached_query *query;
    size_t parts;
    char *scratch;
    size_t stride;    /* bytes of scratch for each thread */
};

static void some_heads(void *ctx, size_t task, int thread) {
    const struct job *j = ctx;
    const struct cached_query *s = &j->query[task / j->parts];
    const size_t d = j->a->width, heads = j->a->heads / j->parts, first = task % j->parts * heads * d;
    const size_t keys = keys_of(s), ld = keys + 1;
    float *score = (float *)(void *)(j->scratch + (size_t)thread * j->stride), *o = s->o + first;
    const float *q = s->q + first;
    size_t n = 0;

    for (size_t i = 0; i < s->runs; i++)
        for (size_t r = 0; r < s->run[i].n; r++, n++)
            for (size_t h = 0; h < heads; h++)
                score[h * ld + n] = j->kern->dot(d, q + h * d, s->run[i].k + r * s->run[i].ld + first + h * d);
    memset(o, 0, heads * d * sizeof *o);
    for (size_t h = 0; h < heads; h++)
        score[h * ld + keys] = 1 / j->kern->exps(keys, j->a->scale, score + h * ld);
    n = 0;
    for (size_t i = 0; i < s->runs; i++)
        for (size_t r = 0; r < s->run[i].n; r++, n++)
            for (size_t h = 0; h < heads; h++)
                j->kern->axpy(d, score[h * ld + n], s->run[i].v + r * s->run[i].ld + first + h * d, o + h * d);
    for (size_t h = 0; h < heads; h++)
        j->kern->scale(d, score[h * ld + keys], o + h * d);
}

void cached_attention_run(const struct cached_attention *a, const struct compute *c, size_t n,
                          const struct cached_query query[], void *scratch) {
    struct job j = {a, c->kern->f32, query, parts_of(a->heads, n, (size_t)pool_threads(c->pool)), scratch, 0};
    size_t most = 0;

    for (size_t i = 0; i < n; i++)
        most = size_max(most, keys_of(&query[i]));
    j.stride = room(a->heads / j.parts, most);
    pool_run(c->pool, n * j.parts, some_heads, &j);
}
