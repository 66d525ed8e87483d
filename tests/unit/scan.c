/* threads */
/* A stretch on many threads gives the scores of one record after another; zero-shot, too. */
#include "tools/stage/scan.h"

#include <unistd.h>

#include "formats/io/write_all.h"
#include "formats/record/stream.h"
#include "lib/vector/zero_shot.h"
#include "tests/tap.h"

enum { D = 48, N = 6000 };

static uint64_t state = 11;

static float uniform(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) * 0x1p-23f - 1;
}

struct list {
    double score[N + 50];
    size_t at[N + 50], n;
    const unsigned char *p;
};

static int take(void *ctx, double score, struct span bytes) {
    struct list *l = ctx;

    l->score[l->n] = score;
    l->at[l->n++] = (size_t)(bytes.p - l->p);
    return 0;
}

/* Records of some kinds: plain ones of two moulds, and ones that a stretch must not take. */
static void write_records(struct mp *m, struct arena a) {
    for (int i = 0; i < N; i++) {
        struct arena b = a;
        struct record r;
        struct err e = {0};
        struct span s;
        float v[D];
        size_t d = i % 701 == 700 ? D - 1 : D;
        char id[32];
        int n = snprintf(id, sizeof id, "%s%d", i % 7 ? "r" : "a longer name ", i);

        for (int j = 0; j < D; j++)
            v[j] = i % 997 == 996 ? 0 : uniform();
        record_new(&r, span_bytes(id, (size_t)n), false, &b, &e);
        if (i % 3 == 0)
            record_set_text(&r, "text", span_bytes(id, (size_t)n), &e);
        if (i % 4 < 2) {    /* of a picture file */
            record_set_text(&r, "path", i % 8 < 4 ? SPAN("p\xe9") : span_bytes(id, (size_t)n), &e);
            record_set_int(&r, "size", (int64_t)i * i * i * 97, &e);
            if (i % 509 == 0)
                record_set_raw(&r, "mtime", i % 2 ? SPAN("\xc0") : SPAN("\x91\x01"), &e);    /* nil, [1] */
            else
                record_set_float(&r, "mtime", 1.7e9 + i / 7.0, &e);
        }
        for (int k = 0; i % 5 == 4 && k < SCAN_HOLES; k++)    /* more than SCAN_HOLES values differ */
            record_set_int(&r, (char[]){(char)('a' + k), 0}, i + k, &e);
        record_set_tensor(&r, "image_embed", i % 5 ? DT_F32 : DT_F16, v, 1, &d, &e);
        if (i % 1201 == 1200)
            record_set_text(&r, "error", SPAN("x"), &e);
        record_encode(&r, &s, &b, &e);
        mp_raw(m, s);
    }
}

/* The specification: score each record alone. */
static void one_by_one(struct list *l, const struct scan_query *q, struct span all, struct arena a) {
    size_t used;

    for (size_t at = 0; at < all.n; at += used) {
        struct arena b = a;
        struct record r;
        double cos;

        record_parse(&r, all.p + at, all.n - at, &used, &b, NULL);
        if (!record_has(&r, "error") && scan_record(q, &r, &cos, b, NULL) == 0) {
            l->score[l->n] = cos;
            l->at[l->n++] = at;
        }
    }
}

/* Stretches, and where they stop one record alone, as in rank. */
static void in_stretches(struct list *l, struct scan *s, struct span all, int fd, struct arena a) {
    uint64_t count = 0;
    size_t at = 0, used;

    s->hi = 0;
    while (at < all.n) {
        struct arena b = a;
        struct record r;
        double cos;

        if (at >= s->hi || fd < 0)
            scan_run(s, all.p, all.n, at, fd);
        at = scan_take(s, at, &count, take, l);
        if (at >= s->hi || at >= all.n)
            continue;
        record_parse(&r, all.p + at, all.n - at, &used, &b, NULL);
        if (!record_has(&r, "error") && scan_record(s->q, &r, &cos, b, NULL) == 0 && cos > s->over &&
            cos >= s->least)
            take(l, cos, span_bytes(all.p + at, used));
        at += used;
    }
}

static bool same(const struct list *a, const struct list *b) {
    return a->n == b->n && memcmp(a->score, b->score, a->n * sizeof *a->score) == 0 &&
           memcmp(a->at, b->at, a->n * sizeof *a->at) == 0;
}

static int by_score(const void *a, const void *b) {
    const double *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

/* Thresholds that are the score of a record: with the filter the result is that of the cosines, whether parts are read,
 * mapped, or both in turn. */
static void filtered(struct scan *s, const struct list *all, struct span bytes, int fd, struct arena a) {
    static struct list want, got;
    static double sorted[N + 50];
    float *v = arena_take(&a, s->q->sim.d, sizeof *v);
    struct sim_filter none = s->filter;
    int bad = 0, runs = 0;

    memcpy(sorted, all->score, all->n * sizeof *sorted);
    qsort(sorted, all->n, sizeof *sorted, by_score);
    want.p = got.p = all->p;
    sim_filter(&s->filter, &s->q->sim, v);
    for (size_t i = 0; i < all->n; i = i ? 9 * i : 1)
        for (int t = 0; t < 10; t++) {
            s->over = t / 2 % 2 ? -2 : sorted[i];
            s->least = t / 2 % 2 ? sorted[i] : -2;
            want.n = got.n = 0;
            for (size_t j = 0; j < all->n; j++)
                if (all->score[j] > s->over && all->score[j] >= s->least)
                    take(&want, all->score[j], span_bytes(bytes.p + all->at[j], 0));
            s->way = t % 3 == 0 ? SCAN_READ : t % 3 == 1 ? SCAN_MAP : SCAN_TRY;
            in_stretches(&got, s, bytes, t < 8 ? fd : -1, a);
            bad += !same(&want, &got);
            runs++;
        }
    s->filter = none;
    ok(!bad && runs > 30, "thresholds: with the filter, read or mapped, the hits are the same (%d runs)", runs);
}

static void zero_shot(struct pool *pool, struct arena a) {
    enum { LABELS = 4000, K = 7 };
    float *rows = arena_take(&a, (size_t)LABELS * D, sizeof *rows), x[D];
    struct zero_shot z[2];
    struct zero_shot_hit want[K];
    size_t n[2] = {0, 0};
    double sum = 0;

    for (size_t i = 0; i < (size_t)LABELS * D; i++)
        rows[i] = uniform();
    for (size_t i = 0; i < LABELS; i++)
        sim_normalise(rows + i * D, D);
    memcpy(rows + 3000 * D, rows + 17 * D, D * sizeof *rows);    /* a label that occurs twice */
    memcpy(x, rows + 17 * D, sizeof x);
    for (int i = 0; i < 2; i++) {
        z[i] = (struct zero_shot){.labels = rows, .n = LABELS, .d = D, .k = i ? K : LABELS, .scale = 20,
                                  .min_cos = -2, .min_prob = -1, .kern = &sim_kern_c,
                                  .pool = i ? pool : NULL};
        zero_shot_start(&z[i], &a);
        zero_shot_run(&z[i], DT_F32, x, &n[i]);
    }
    memcpy(want, z[0].hit, sizeof want);
    for (size_t i = 0; i < n[0]; i++)
        sum += z[0].hit[i].prob;
    ok(n[0] == LABELS && fabs(sum - 1) < 1e-12, "zero-shot: probabilities of all labels sum to 1");
    ok(n[1] == K && memcmp(want, z[1].hit, sizeof want) == 0, "zero-shot: the k best on many threads are the same");
    ok(want[0].label == 17 && want[1].label == 3000 && want[0].cos == want[1].cos,
       "zero-shot: equal labels keep their order");
    z[1].min_cos = want[2].cos;
    zero_shot_run(&z[1], DT_F32, x, &n[1]);
    ok(n[1] == 3, "zero-shot: a threshold");
    memset(x, 0, sizeof x);
    ok(zero_shot_run(&z[1], DT_F32, x, &n[1]) == SIM_ZERO && n[1] == 0, "zero-shot: no direction");
}

int main(void) {
    static struct list want, got, piped;
    TAP_ARENA(a, 64);
    struct scan_query q = {.from = {"image_embed", DT_F32, D, NULL, {NULL, 0}}};
    struct err e = {0};
    struct pool *pool = pool_start(&a, 4, &e);
    char path[] = "/tmp/scan-XXXXXX";
    int fd = mkstemp(path);
    struct span all;
    struct scan s;
    struct mp m;
    float v[D];
    double room[D];

    for (int j = 0; j < D; j++)
        v[j] = uniform();
    sim_query(&q.sim, &sim_kern_c, DT_F32, v, D, room);
    /* thread arenas are split off first: 4 x 256 MiB do not fit here */
    s = (struct scan){.q = &q, .pool = pool, .fd = -1, .over = -2, .least = -2};
    s.part = arena_zero(&a, SCAN_PARTS, sizeof *s.part);
    s.thread = arena_zero(&a, 4, sizeof *s.thread);
    for (int i = 0; i < SCAN_PARTS; i++)
        s.part[i].hit = arena_take(&a, SCAN_HITS, sizeof *s.part[i].hit);
    for (int i = 0; i < 4; i++) {
        s.thread[i].buf = arena_take(&a, SCAN_BUFFER, 1);
        s.thread[i].mem = (struct arena_mem){.base = arena_take(&a, 1 << 20, 1), .reserved = 1 << 20};
        s.thread[i].room = arena_open(&s.thread[i].mem);
    }
    mp_open(&m, &a);
    {
        struct arena_mem mem = {.base = malloc(1 << 20), .reserved = 1 << 20};

        write_records(&m, arena_open(&mem));
        free(mem.base);
    }
    all = mp_span(&m);
    write_all(fd, all.p, all.n);
    want.p = got.p = piped.p = all.p;
    one_by_one(&want, &q, all, a);
    in_stretches(&got, &s, all, fd, a);
    in_stretches(&piped, &s, all, -1, a);
    ok(!m.full && want.n > N - 40 && want.n < N, "%zu of %d records can be scored", want.n, N);
    ok(same(&want, &got), "a file on four threads: every cosine of every record, in order");
    ok(same(&want, &piped), "a pipe's buffer too");
    filtered(&s, &want, all, fd, a);
    zero_shot(pool, a);
    pool_stop(pool);
    close(fd);
    unlink(path);
    free(a_mem.base);
    return done();
}
