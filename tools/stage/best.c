#include "tools/stage/best.h"

static const size_t ROOM = (size_t)1 << 36;    /* bytes of address space; memory is taken as records come */

int best_start(struct best *b, size_t k, struct arena *a, struct err *e) {
    if (topk_start(&b->top, k, a) < 0 || shelf_start(&b->shelf, k, arena_share(a, 4, ROOM), a) < 0)
        return err_set(e, "no memory for %zu results", k);
    return 0;
}

void best_clear(struct best *b) {
    topk_clear(&b->top);
    shelf_clear(&b->shelf);
}

int best_offer(struct best *b, double score, struct span bytes, struct err *e) {
    if (!topk_accepts(&b->top, score))
        return 0;
    if (shelf_put(&b->shelf, topk_add(&b->top, score), bytes.p, bytes.n) < 0)
        return err_set(e, "no memory for the %zu best records", b->top.k);
    return 0;
}

void best_sort(struct best *b) {
    topk_sort(&b->top);
}

struct span best_get(const struct best *b, size_t i, double *score) {
    struct span s;

    *score = b->top.item[i].score;
    s.p = shelf_get(&b->shelf, b->top.item[i].slot, &s.n);
    return s;
}
