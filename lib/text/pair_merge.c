#include "lib/text/pair_merge.h"

static const uint32_t GONE = UINT32_MAX;

/* ---- a heap, smallest first ---- */

struct heap {
    uint64_t *v;    /* rank << 32 | place: of equal ranks the leftmost place comes first */
    size_t n;
};

static void push(struct heap *h, uint64_t x) {
    size_t i = h->n++;

    for (; i > 0 && h->v[(i - 1) / 2] > x; i = (i - 1) / 2)
        h->v[i] = h->v[(i - 1) / 2];
    h->v[i] = x;
}

static uint64_t pop(struct heap *h) {
    uint64_t top = h->v[0], x = h->v[--h->n];
    size_t i = 0, c;

    for (; (c = 2 * i + 1) < h->n; i = c) {
        if (c + 1 < h->n && h->v[c + 1] < h->v[c])
            c++;
        if (x <= h->v[c])
            break;
        h->v[i] = h->v[c];
    }
    h->v[i] = x;
    return top;
}

/* ---- the piece, as a linked list ---- */

struct chain {
    const void *table;
    merge_find *find;
    uint32_t *id, *next, *prev;    /* id[i] is GONE if it was merged into the id before it */
    uint32_t n;
};

/* Finds the merge of id i and the id after it. */
static bool find_at(const struct chain *c, uint32_t i, struct merge *m) {
    return c->id[i] != GONE && c->next[i] < c->n && c->find(c->table, c->id[i], c->id[c->next[i]], m);
}

static void offer(struct heap *h, const struct chain *c, uint32_t i) {
    struct merge m;

    if (find_at(c, i, &m))
        push(h, (uint64_t)m.rank << 32 | i);
}

size_t pair_merge(const void *table, merge_find *find, uint32_t *id, size_t n, struct arena scratch) {
    /* a merge takes one entry off the heap and adds at most two, and there are fewer than n merges */
    struct heap h = {arena_take(&scratch, 2 * n, sizeof *h.v), 0};
    struct chain c = {table, find, id, arena_take(&scratch, n, sizeof *id), arena_take(&scratch, n, sizeof *id),
                      (uint32_t)n};
    size_t left = 0;

    if (!h.v || !c.next || !c.prev || n >= GONE)
        return 0;
    for (uint32_t i = 0; i < c.n; i++) {
        c.next[i] = i + 1;
        c.prev[i] = i - 1;    /* for the first id this wraps around to a number >= n */
    }
    for (uint32_t i = 0; i < c.n; i++)
        offer(&h, &c, i);
    while (h.n) {
        const uint64_t top = pop(&h);
        const uint32_t i = (uint32_t)top;
        struct merge m;
        uint32_t j;

        if (!find_at(&c, i, &m) || m.rank != top >> 32)    /* one of the two ids has been merged since */
            continue;
        j = c.next[i];
        c.id[i] = m.id;
        c.id[j] = GONE;
        c.next[i] = c.next[j];
        if (c.next[i] < c.n)
            c.prev[c.next[i]] = i;
        offer(&h, &c, i);
        if (c.prev[i] < c.n)
            offer(&h, &c, c.prev[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (id[i] != GONE)
            id[left++] = id[i];
    return left;
}
