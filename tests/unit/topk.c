/* The k best compared with a stable sort; slots; merging; and the shelf that holds their bytes. */
#include "lib/vector/topk.h"

#include "lib/vector/shelf.h"
#include "tests/tap.h"

enum { N = 3000 };

static uint64_t state = 7;

static uint32_t draw(uint32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static double score[N];

/* A stable insertion sort: the specification. */
static void stable(size_t n, size_t *at) {
    for (size_t i = 0, j; i < n; i++) {
        for (j = i; j > 0 && score[at[j - 1]] < score[i]; j--)
            at[j] = at[j - 1];
        at[j] = i;
    }
}

/* The indices of the k best of n scores, in order; tag[slot] is the index that owns the slot. */
static size_t best(struct topk *t, const size_t *from, size_t n, size_t *out, size_t *tag) {
    for (size_t i = 0; i < n; i++)
        if (topk_accepts(t, score[from[i]]))
            tag[topk_add(t, score[from[i]])] = from[i];
    topk_sort(t);
    for (size_t i = 0; i < t->n; i++)
        out[i] = tag[t->item[i].slot];
    return t->n;
}

static void against_sort(struct arena a, uint32_t levels) {
    static size_t want[N], all[N], got[N], tag[N], part[N];
    static const size_t ks[] = {0, 1, 2, 3, 10, 100, 999, 2999, 3000, 3001};
    bool good = true, merged = true;

    for (size_t i = 0; i < N; i++)
        all[i] = i, score[i] = (double)draw(levels);
    stable(N, want);
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        size_t k = ks[i] < N ? ks[i] : N, n = 0;
        struct arena b = a;
        struct topk t, u;

        topk_start(&t, ks[i], &b);
        good = good && best(&t, all, N, got, tag) == k && memcmp(got, want, k * sizeof *got) == 0;
        for (size_t s = 0; s < N; s += 700) {    /* shards, each ranked alone */
            topk_start(&u, ks[i], &b);
            n += best(&u, all + s, s + 700 < N ? 700 : N - s, part + n, tag);
        }
        topk_clear(&t);
        merged = merged && best(&t, part, n, got, tag) == k && memcmp(got, want, k * sizeof *got) == 0;
    }
    ok(good, "%u levels: for every k the first k of a stable sort", levels);
    ok(merged, "%u levels: the k best of the shards' k best are the same", levels);
}

static void shelf_replaced(struct arena a) {
    static unsigned char want[50][4000];
    static size_t len[50];
    struct shelf s;
    bool good = true;
    size_t n, total = 0;

    ok(shelf_start(&s, 50, (size_t)8 << 20, &a) == 0, "shelf: 50 slots");
    for (int i = 0; i < 40000; i++) {
        size_t k = draw(50);

        len[k] = 1 + draw(3999);
        total += len[k];
        memset(want[k], (int)draw(256), len[k]);
        if (shelf_put(&s, k, want[k], len[k]) < 0)
            good = false;
    }
    for (size_t k = 0; k < 50; k++) {
        const void *p = shelf_get(&s, k, &n);

        good = good && n == len[k] && memcmp(p, want[k], n) == 0;
    }
    ok(good, "shelf: 40000 replacements (%zu MB) and each slot has its own bytes", total >> 20);
    ok(s.cap <= (size_t)2 * 50 * 4000 + 4000 + SHELF_SLACK, "shelf: within the bound: %zu bytes", s.cap);
}

static void shelf_full(struct arena a) {
    static unsigned char big[ARENA_STEP];
    struct shelf s;

    ok(shelf_start(&s, 3, 2 * ARENA_STEP - 4096, &a) == 0 && shelf_put(&s, 0, big, sizeof big) == 0 &&
           shelf_put(&s, 1, big, sizeof big / 2) == 0,
       "shelf: two strings that fit");
    ok(shelf_put(&s, 2, big, sizeof big) == -1, "shelf: a third that does not is refused");
    ok(shelf_put(&s, 0, big, sizeof big) == 0, "shelf: but it may take the first one's place");
}

int main(void) {
    TAP_ARENA(a, 32);

    against_sort(a, 3);
    against_sort(a, 200);
    against_sort(a, 1u << 30);
    shelf_replaced(a);
    shelf_full(a);
    free(a_mem.base);
    return done();
}
