#include "lib/probe/sweep.h"

#include <math.h>
#include <stdbool.h>

static bool better(const struct sweep_fit *a, const struct sweep_fit *b) {
    if (a->accuracy != b->accuracy)
        return a->accuracy > b->accuracy;
    if (a->cross_entropy != b->cross_entropy)
        return a->cross_entropy < b->cross_entropy;
    return a->i < b->i;
}

static int visit(struct sweep *s, int i, int (*try)(void *, struct sweep_fit *, struct err *), void *ctx, struct err *e) {
    struct sweep_fit *f = &s->fit[s->n];

    if (i < 0 || i > SWEEP_LAST)
        return 0;
    for (size_t j = 0; j < s->n; j++)
        if (s->fit[j].i == i)
            return 0;
    *f = (struct sweep_fit){.i = i, .c = pow(10, -6 + i / 8.0)};
    if (try(ctx, f, e) < 0)
        return -1;
    if (better(f, &s->fit[s->best]))
        s->best = s->n;
    s->n++;
    return 0;
}

int sweep_run(struct sweep *s, int (*try)(void *, struct sweep_fit *, struct err *), void *ctx, struct err *e) {
    *s = (struct sweep){.n = 0};
    for (int i = 0; i <= SWEEP_LAST; i += 16)
        if (visit(s, i, try, ctx, e) < 0)
            return -1;
    for (int step = 8; step; step /= 2) {
        int peak = s->fit[s->best].i;

        if (visit(s, peak - step, try, ctx, e) < 0 || visit(s, peak + step, try, ctx, e) < 0)
            return -1;
    }
    return 0;
}
