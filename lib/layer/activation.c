#include "lib/layer/activation.h"

#include "lib/base/pool.h"
#include "lib/base/size.h"

enum { TASK = 1 << 14 };    /* numbers of a task; a multiple of 8, so that each byte of bits belongs to one task */

struct act_job {
    const struct kern *kern;
    size_t n;
    enum act act;
    const float *x, *dy;
    float *y;
    unsigned char *bits;
    const unsigned char *kept;
};

static void act_some(void *ctx, size_t i, int thread) {
    const struct act_job *j = ctx;
    size_t at = i * TASK;

    (void)thread;
    j->kern->act(size_min(TASK, j->n - at), j->act, j->x + at, j->y + at);
}

static void act_back_some(void *ctx, size_t i, int thread) {
    const struct act_job *j = ctx;
    size_t at = i * TASK;

    (void)thread;
    j->kern->act_back(size_min(TASK, j->n - at), j->act, j->x + at, j->dy + at, j->y + at);
}

static void relu_keep_some(void *ctx, size_t i, int thread) {
    const struct act_job *j = ctx;
    size_t at = i * TASK;

    (void)thread;
    j->kern->positive(size_min(TASK, j->n - at), j->x + at, j->bits + at / 8);
}

static void relu_back_some(void *ctx, size_t i, int thread) {
    const struct act_job *j = ctx;
    size_t at = i * TASK;

    (void)thread;
    j->kern->select(size_min(TASK, j->n - at), j->kept + at / 8, j->dy + at, j->y + at);
}

void activation_run(const struct compute *c, size_t n, enum act act, const float *x, float *y) {
    struct act_job j = {.kern = c->kern, .n = n, .act = act, .x = x, .y = y};

    pool_run(c->pool, div_up(n, TASK), act_some, &j);
}

void activation_back(const struct compute *c, size_t n, enum act act, const float *x, const float *dy, float *dx) {
    struct act_job j = {.kern = c->kern, .n = n, .act = act, .x = x, .dy = dy, .y = dx};

    pool_run(c->pool, div_up(n, TASK), act_back_some, &j);
}

void relu_keep(const struct compute *c, size_t n, const float *y, unsigned char *bits) {
    struct act_job j = {.kern = c->kern, .n = n, .x = y, .bits = bits};

    pool_run(c->pool, div_up(n, TASK), relu_keep_some, &j);
}

void relu_back(const struct compute *c, size_t n, const unsigned char *bits, const float *dy, float *dx) {
    struct act_job j = {.kern = c->kern, .n = n, .kept = bits, .dy = dy, .y = dx};

    pool_run(c->pool, div_up(n, TASK), relu_back_some, &j);
}
