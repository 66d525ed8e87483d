/* pair_merge against the definition: look at all pairs, merge the leftmost of the lowest rank, begin again.  The tables
 * and pieces are random. */
#include "lib/text/pair_merge.h"

#include "tests/tap.h"

enum { LETTERS = 4, MERGES = 40, IDS = LETTERS + MERGES, LONGEST = 300 };

struct table {
    int id[IDS][IDS];    /* what a pair becomes, or 0 */
};

static unsigned state = 1;

static unsigned draw(unsigned n) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static bool find(const void *table, uint32_t left, uint32_t right, struct merge *m) {
    int id = ((const struct table *)table)->id[left][right];

    *m = (struct merge){(uint32_t)id, (uint32_t)id};
    return id != 0;
}

/* Each merge is of two ids that are older than its own. */
static void fill(struct table *t) {
    memset(t, 0, sizeof *t);
    for (int id = LETTERS; id < IDS; id++)
        t->id[draw((unsigned)id)][draw((unsigned)id)] = id;
}

static size_t merge_by_definition(const struct table *t, uint32_t *w, size_t n) {
    for (;;) {
        int best = IDS;
        size_t at = 0;

        for (size_t i = 0; i + 1 < n; i++)
            if (t->id[w[i]][w[i + 1]] && t->id[w[i]][w[i + 1]] < best)
                best = t->id[w[i]][w[i + 1]], at = i;
        if (best == IDS)
            return n;
        w[at] = (uint32_t)best;
        memmove(w + at + 1, w + at + 2, (--n - at - 1) * sizeof *w);
    }
}

static void random_pieces(struct arena a) {
    static struct table t;
    uint32_t got[LONGEST], want[LONGEST];
    int pieces = 0, wrong = 0, merged = 0;

    for (; pieces < 2000; pieces++) {
        size_t n = 1 + draw(LONGEST), ngot, nwant;

        fill(&t);
        for (size_t i = 0; i < n; i++)
            got[i] = want[i] = draw(LETTERS);
        nwant = merge_by_definition(&t, want, n);
        ngot = pair_merge(&t, find, got, n, a);
        wrong += ngot != nwant || memcmp(got, want, nwant * sizeof *want) != 0;
        merged += nwant < n;
    }
    ok(wrong == 0, "%d random pieces as by the definition (%d wrong)", pieces, wrong);
    ok(merged > pieces / 2, "most of them have merges (%d)", merged);
}

static void limits(struct arena a) {
    static struct table t;
    uint32_t one[] = {2}, ten[10] = {0};
    struct arena full = a;

    fill(&t);
    full.end = full.at;
    ok(pair_merge(&t, find, one, 1, a) == 1 && one[0] == 2, "one id stays");
    ok(pair_merge(&t, find, one, 0, a) == 0, "no id");
    ok(pair_merge(&t, find, ten, 10, full) == 0, "no memory");
}

int main(void) {
    TAP_ARENA(a, 1);

    random_pieces(a);
    limits(a);
    free(a_mem.base);
    return done();
}
