#include "lib/vector/topk.h"

int topk_start(struct topk *t, size_t k, struct arena *a) {
    *t = (struct topk){.k = k};
    t->item = arena_take(a, k, sizeof *t->item);
    return t->item ? 0 : -1;
}

void topk_clear(struct topk *t) {
    t->n = 0;
    t->order = 0;
}

static bool worse(const struct topk_item *a, const struct topk_item *b) {
    return a->score < b->score || (a->score <= b->score && a->order > b->order);
}

/* Puts x into the heap item [n] at position i or below; the old item[i] is overwritten. */
static void sift_down(struct topk_item *item, size_t n, size_t i, struct topk_item x) {
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && worse(&item[c + 1], &item[c]))
            c++;
        if (worse(&x, &item[c]))
            break;
        item[i] = item[c];
    }
    item[i] = x;
}

size_t topk_add(struct topk *t, double score) {
    struct topk_item x = {score, t->order++, t->n};
    size_t i;

    if (t->n == t->k) {
        x.slot = t->item[0].slot;
        sift_down(t->item, t->n, 0, x);
        return x.slot;
    }
    for (i = t->n++; i > 0 && worse(&x, &t->item[(i - 1) / 2]); i = (i - 1) / 2)
        t->item[i] = t->item[(i - 1) / 2];
    t->item[i] = x;
    return x.slot;
}

void topk_sort(struct topk *t) {
    for (size_t n = t->n; n > 1; n--) {
        struct topk_item last = t->item[n - 1];

        t->item[n - 1] = t->item[0];    /* the worst goes last */
        sift_down(t->item, n - 1, 0, last);
    }
}
