#include "lib/norm.h"

enum { ROWS = 8 };    /* of a task */

struct norm_job {
    const struct kern *kern;
    size_t m, d, ldx, ldy;
    const float *x, *g, *b;
    float *y, eps;
};

static void norm_rows(void *ctx, size_t i, int thread) {
    const struct norm_job *j = ctx;

    (void)thread;
    for (size_t r = i * ROWS; r < (i + 1) * ROWS && r < j->m; r++)
        j->kern->norm(j->d, j->x + r * j->ldx, j->g, j->b, j->eps, j->y + r * j->ldy);
}

void layer_norm(const struct compute *c, size_t m, size_t d, const float *x, size_t ldx,
                const float *g, const float *b, float eps, float *y, size_t ldy) {
    struct norm_job j = {c->kern, m, d, ldx, ldy, x, g, b, y, eps};

    pool_run(c->pool, (m + ROWS - 1) / ROWS, norm_rows, &j);
}
