/* rank's callback gets a record that it may change, and the record's own arena. */
#define _GNU_SOURCE    /* MAP_NORESERVE */
#include "tools/stage/ranking.h"

#include <sys/mman.h>

#include "lib/kernel/kern.h"
#include "tests/tap.h"

enum { D = 40 };

struct seen {
    size_t calls, whole;
    struct mp ids;
};

/* Change the record, take more memory, and check that the record is still whole. */
static int emit(void *ctx, struct record *r, const struct result *v, size_t n, struct arena *a) {
    struct seen *s = ctx;
    struct err e = {0};
    struct span text, bytes;
    const float *x;
    size_t d;

    s->calls++;
    mp_raw(&s->ids, r->id);
    if (r->a != a || !n || record_set_float(r, "cos", v->cos, &e) < 0 || record_set_text(r, "note", r->id, &e) < 0)
        return 0;
    memset(arena_take(a, 4096, 1), 0xff, 4096);
    s->whole += record_str(r, "note", &text, &e) == 1 && text.n == r->id.n && !memcmp(text.p, r->id.p, text.n) &&
                record_floats(r, "image_embed", &x, &d, a, &e) == 1 && d == D && x[D - 1] == 1 && record_encode(r, &bytes, a, &e) == 0;
    return 0;
}

/* Record i of a group, whose cosine with its text falls with i. */
static void make(struct record *r, int i, const char *root, char id[8], struct arena *a) {
    float text[D] = {0}, image[D] = {0};
    size_t d = D;
    struct err e = {0};

    text[0] = text[D - 1] = image[D - 1] = 1;
    image[0] = 1 - 0.1f * (float)i;
    snprintf(id, 8, "%s%d", root, i);
    record_new(r, span_of(id), false, a, &e);
    record_set_text(r, "root", span_of(root), &e);
    record_set_tensor(r, "text_embed", DT_F32, text, 1, &d, &e);
    record_set_tensor(r, "image_embed", DT_F32, image, 1, &d, &e);
}

static void run(enum result_kind kind, const char *want, struct arena a) {
    float label[D] = {[D - 1] = 1};
    struct span name = span_of("x");
    struct seen s = {0};
    struct ranking g = {.kind = kind, .k = 2, .scale = 100, .min_cos = -2, .min_prob = -1, .own_text = kind != RESULT_LABEL,
                        .labels = {1, D, &name, label, "text_embed", {NULL, 0}, 0}, .emit = emit, .ctx = &s};
    struct arena ids_room;
    struct arena_mem ids_mem;
    struct err e = {0};

    g.q.sim.kern = sim_kern_choose("c");
    g.q.from = (struct vector){"text_embed", DT_F32, D, NULL, {NULL, 0}};
    arena_split(&a, 4096, &ids_mem, &ids_room);
    mp_open(&s.ids, &ids_room);
    ranking_start(&g, &a, &e);
    ranking_stream(&g);
    for (int i = 0; i < 6; i++) {
        struct arena b = a;
        struct record r;
        char id[8];

        make(&r, i % 3, i < 3 ? "a" : "b", id, &b);
        ranking_add(&g, &r, &b, &e);
    }
    ranking_end(&g, a);
    ok(!e.msg[0] && s.calls == s.whole && s.ids.n == strlen(want) && !memcmp(s.ids.p, want, s.ids.n), "kind %d: %zu of %zu records whole, %.*s",
       kind, s.whole, s.calls, (int)s.ids.n, (const char *)s.ids.p);
}

int main(void) {
    struct arena_mem mem = {.base = NULL, .reserved = (size_t)8 << 30};    /* address space for the shelves */
    struct arena a;

    mem.base = mmap(NULL, mem.reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem.base == MAP_FAILED) {
        ok(0, "address space");
        return done();
    }
    a = arena_open(&mem);
    run(RESULT_MATCH, "a0a1a2b0b1b2", a);
    run(RESULT_BEST, "a0b0", a);
    run(RESULT_GROUP, "a0a1b0b1", a);
    run(RESULT_LABEL, "a0a1a2b0b1b2", a);
    return done();
}
