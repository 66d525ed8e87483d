#include "lib/vector/zero_shot.h"

enum { TASK = 1 << 16 };    /* about the number of multiplications of one task */

int zero_shot_start(struct zero_shot *z, struct arena *a) {
    if (z->k > z->n)
        z->k = z->n;
    z->row = arena_take(a, z->d, sizeof *z->row);
    z->cos = arena_take(a, z->n, sizeof *z->cos);
    z->owner = arena_take(a, z->k, sizeof *z->owner);
    z->hit = arena_take(a, z->k, sizeof *z->hit);
    return z->row && z->cos && z->owner && z->hit ? topk_start(&z->top, z->k, a) : -1;
}

static size_t rows_per_task(const struct zero_shot *z) {
    return TASK / z->d + 1;
}

static void task(void *ctx, size_t i, int thread) {
    const struct zero_shot *z = ctx;
    size_t step = rows_per_task(z), lo = i * step, hi = lo + step < z->n ? lo + step : z->n;

    (void)thread;
    sim_rows(&z->q, z->labels + lo * z->d, hi - lo, z->cos + lo);
}

int zero_shot_run(struct zero_shot *z, enum dtype dt, const void *x, size_t *hits) {
    int got = sim_query(&z->q, z->kern, dt, x, z->d, z->row);
    size_t tasks = (z->n + rows_per_task(z) - 1) / rows_per_task(z);
    struct sim_sum sum = {0, 0};

    *hits = 0;
    if (got != SIM_OK)
        return got;
    pool_run(tasks > 1 ? z->pool : NULL, tasks, task, z);
    topk_clear(&z->top);
    for (size_t i = 0; i < z->n; i++) {
        sim_sum_add(&sum, z->scale * z->cos[i]);
        if (topk_accepts(&z->top, z->cos[i]))
            z->owner[topk_add(&z->top, z->cos[i])] = i;
    }
    topk_sort(&z->top);
    for (size_t i = 0; i < z->top.n; i++) {
        double cos = z->top.item[i].score, prob = sim_sum_prob(&sum, z->scale * cos);

        if (cos >= z->min_cos && prob >= z->min_prob)
            z->hit[(*hits)++] = (struct zero_shot_hit){z->owner[z->top.item[i].slot], cos, prob};
    }
    return SIM_OK;
}
