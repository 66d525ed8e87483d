#include "lib/layer/norm.h"

#include "lib/base/size.h"

enum { TASK = 1 << 14 };    /* floats of a task */

struct norm_job {
    const struct kern *kern;
    size_t m, d, ldx, ldy, some;    /* some: rows of a task */
    const float *x, *g, *b;
    float *y, eps;
};

static void norm_rows(void *ctx, size_t i, int thread) {
    const struct norm_job *j = ctx;

    (void)thread;
    for (size_t r = i * j->some; r < (i + 1) * j->some && r < j->m; r++)
        j->kern->norm(j->d, j->x + r * j->ldx, j->g, j->b, j->eps, j->y + r * j->ldy);
}

void layer_norm(const struct compute *c, size_t m, size_t d, const float *x, size_t ldx,
                const float *g, const float *b, float eps, float *y, size_t ldy) {
    struct norm_job j = {c->kern, m, d, ldx, ldy, d ? div_up(TASK, d) : 1, x, g, b, y, eps};

    pool_run(c->pool, div_up(m, j.some), norm_rows, &j);
}

struct norm_back_job {
    const struct kern *kern;
    size_t m, d, some;
    const float *x, *g, *dy, *add;
    float *dx, eps;
};

static void norm_back_rows(void *ctx, size_t i, int thread) {
    const struct norm_back_job *j = ctx;

    (void)thread;
    for (size_t r = i * j->some; r < (i + 1) * j->some && r < j->m; r++) {
        size_t at = r * j->d;

        j->kern->norm_back(j->d, j->x + at, j->g, j->eps, j->dy + at, j->add ? j->add + at : NULL, j->dx + at);
    }
}

void layer_norm_back(const struct compute *c, size_t m, size_t d, const float *x, const float *g, float eps,
                     const float *dy, const float *add, float *dx) {
    struct norm_back_job j = {c->kern, m, d, d ? div_up(TASK, d) : 1, x, g, dy, add, dx, eps};

    pool_run(c->pool, div_up(m, j.some), norm_back_rows, &j);
}
