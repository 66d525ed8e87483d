#include "tools/stage/ranking.h"

#include <string.h>

int ranking_start(struct ranking *g, struct arena *a, struct err *e) {
    if (g->kind == RESULT_LABEL) {
        g->zero = (struct zero_shot){.labels = g->labels.v, .n = g->labels.n, .d = g->labels.d,
                                     .k = g->k, .scale = g->scale, .min_cos = g->min_cos,
                                     .min_prob = g->min_prob, .kern = g->q.sim.kern, .pool = g->pool};
        g->result = arena_take(a, g->k < g->labels.n ? g->k : g->labels.n, sizeof *g->result);
        return g->result && zero_shot_start(&g->zero, a) == 0 ? 0 : err_set(e, "out of memory");
    }
    if (best_start(&g->best, g->kind == RESULT_MATCH ? 0 : g->k, a, e) < 0 ||
        (!g->own_text && scan_start(&g->scan, &g->q, g->pool, a, e) < 0))
        return -1;
    return shelf_start(&g->root, 1, arena_share(a, 8, (size_t)1 << 30), a) < 0 ? err_set(e, "out of memory") : 0;
}

static int emit_bytes(struct ranking *g, struct span bytes, struct result v, struct arena a) {
    struct record r;
    size_t used;

    if (record_parse(&r, bytes.p, bytes.n, &used, &a, NULL) != 1)
        return -1;    /* cannot happen: the bytes were a record when they were kept */
    return g->emit(g->ctx, &r, &v, 1, &a);
}

void ranking_end(struct ranking *g, struct arena a) {
    if (g->kind != RESULT_BEST && g->kind != RESULT_GROUP)
        return;
    best_sort(&g->best);
    for (size_t i = 0; i < g->best.top.n; i++) {
        struct result v = {.prob = -1, .rank = (int64_t)i + 1};
        struct span bytes = best_get(&g->best, i, &v.cos);

        v.logit = g->scale * v.cos;
        if (g->kind == RESULT_GROUP)
            v.prob = sim_sum_prob(&g->sum, v.logit);
        if ((g->kind != RESULT_GROUP || v.prob >= g->min_prob) && emit_bytes(g, bytes, v, a) < 0)
            return;
    }
    best_clear(&g->best);
    g->sum = (struct sim_sum){0, 0};
}

/* ---- one record ---- */

static int offer(struct ranking *g, struct record *r, double cos, struct arena *a,
                 struct err *e) {
    struct result v = {.cos = cos, .logit = g->scale * cos, .prob = -1};
    struct span bytes;

    if (!(cos >= g->min_cos))
        return 0;
    if (g->kind == RESULT_MATCH) {
        g->emit(g->ctx, r, &v, 1, a);
        return 0;
    }
    if (topk_accepts(&g->best.top, cos) &&
        (record_encode(r, &bytes, a, e) < 0 || best_offer(&g->best, cos, bytes, e) < 0))
        return -2;
    return 0;
}

static int own_cosine(const struct ranking *g, struct record *r, double *cos, struct arena a,
                      struct err *e) {
    struct scan_query q = g->q;
    double *room;
    int got;

    if (vector_find(&q.from, r, "text_embed", &a, e) < 0)
        return -1;
    if (!q.field)
        q.field = "image_embed";
    if (!(room = arena_take(&a, q.from.d, sizeof *room)))
        return err_set(e, "out of memory");
    got = sim_query(&q.sim, g->q.sim.kern, q.from.dtype, q.from.data, q.from.d, room);
    if (got != SIM_OK)
        return err_set(e, "its text_embed %s", sim_reason(got));
    return scan_record(&q, r, cos, a, e);
}

static int add_to_group(struct ranking *g, struct record *r, struct arena a, struct err *e) {
    struct span root = record_root(r), last;

    last.p = shelf_get(&g->root, 0, &last.n);
    if (span_equal(last, root))
        return 0;
    ranking_end(g, a);
    return shelf_put(&g->root, 0, root.p, root.n) < 0 ? (err_set(e, "out of memory"), -2) : 0;
}

static int add_labels(struct ranking *g, struct record *r, struct arena *a, struct err *e) {
    struct vector v;
    size_t n;
    int got;

    if (vector_find(&v, r, g->q.field, a, e) < 0 ||
        scan_fits(&g->q, r, &v, *a, e) < 0)
        return -1;
    if ((got = zero_shot_run(&g->zero, v.dtype, v.data, &n)) != SIM_OK)
        return err_set(e, "its %s %s", v.field, sim_reason(got));
    for (size_t i = 0; i < n; i++) {
        const struct zero_shot_hit *h = &g->zero.hit[i];

        g->result[i] = (struct result){h->cos, g->scale * h->cos, h->prob, (int64_t)i + 1,
                                       g->labels.name[h->label]};
    }
    if (n)
        g->emit(g->ctx, r, g->result, n, a);
    return 0;
}

int ranking_add(struct ranking *g, struct record *r, struct arena *a, struct err *e) {
    double cos;

    if (g->q.into && result_fits(r, g->kind, e) < 0)
        return -1;
    if (g->kind == RESULT_LABEL)
        return add_labels(g, r, a, e);
    if (g->kind == RESULT_GROUP && add_to_group(g, r, *a, e) < 0)
        return -2;
    if ((g->own_text ? own_cosine(g, r, &cos, *a, e) : scan_record(&g->q, r, &cos, *a, e)) < 0)
        return -1;
    sim_sum_add(&g->sum, g->scale * cos);
    return offer(g, r, cos, a, e);
}

bool ranking_foreign(const struct ranking *g, const struct record *r, struct arena a, struct err *e) {
    struct vector v;

    return !g->own_text && vector_find(&v, r, g->q.field, &a, NULL) == 0 &&
           scan_fits(&g->q, r, &v, a, e) < 0;
}

/* ---- many records ---- */

void ranking_stream(struct ranking *g) {
    g->scan.hi = g->tried = g->taken = g->wait = g->pause = 0;
}

struct forward {
    struct ranking *g;
    struct arena a;
};

static int take_hit(void *ctx, double cos, struct span bytes) {
    const struct forward *f = ctx;
    struct ranking *g = f->g;
    struct result v = {.cos = cos, .logit = g->scale * cos, .prob = -1};

    if (g->kind == RESULT_MATCH)
        return emit_bytes(g, bytes, v, f->a);
    g->full = best_offer(&g->best, cos, bytes, NULL) < 0;
    return g->full ? -1 : 0;
}

/* Scores the next stretch of s (scan.h).  If few records are plain, because they hold pictures or because many fail,
 * stretches are not worth their time and are tried less and less often.  Returns false if no stretch was scored. */
static bool next_stretch(struct ranking *g, struct stream *s) {
    const struct topk *t = &g->best.top;

    if (g->wait && g->wait--)
        return false;
    if (s->map && g->taken < g->tried / 4) {
        g->wait = g->pause = g->pause ? 2 * g->pause : 64;
        g->taken = g->tried = 0;
        return false;
    }
    if (g->tried)
        g->pause = 0;
    g->scan.over = g->kind == RESULT_BEST && t->n == t->k ? t->item[0].score : -2;
    g->scan.least = g->min_cos;
    scan_run(&g->scan, s->map ? s->map : s->buf, s->len, s->at, s->map ? s->fd : -1);
    g->tried = g->scan.hi - s->at;
    g->taken = 0;
    return true;
}

uint64_t ranking_forward(struct ranking *g, struct stream *s, struct arena a) {
    struct forward f = {g, a};
    uint64_t records = 0;
    size_t n;

    if (g->own_text || g->kind == RESULT_LABEL || s->lost)
        return 0;
    if (g->q.clip && !s->number)    /* ranking_add settles for the threads whether vectors of this model fit */
        return 0;
    if (s->at >= s->len || ((!s->map || s->at >= g->scan.hi) && !next_stretch(g, s)))
        return 0;
    n = scan_take(&g->scan, s->at, &records, take_hit, &f) - s->at;
    g->taken += n;
    stream_skip(s, n, records);
    return records;
}
