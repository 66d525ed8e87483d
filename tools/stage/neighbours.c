#include "tools/stage/neighbours.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"

enum { CHUNK = 256 };                           /* support vectors that a thread compares at a time */
static const double TEMPERATURE = 0.07, SCALE = 100;

int neighbours_open(struct neighbours *v, struct arena *keep, struct err *e) {
    const struct features *f = v->f;

    v->k = size_min(v->k, f->n);
    v->support = arena_take(keep, f->n * f->d, sizeof *v->support);
    v->cos = arena_take(keep, f->n, sizeof *v->cos);
    v->q = arena_take(keep, f->d, sizeof *v->q);
    v->best = arena_take(keep, v->k, sizeof *v->best);
    if (!v->support || !v->cos || !v->q || !v->best || topk_start(&v->nearest, v->k, keep) < 0)
        return err_set(e, "no memory for %zu vectors of %zu", f->n, f->d);
    for (size_t i = 0; i < f->n; i++) {
        float *x = v->support + i * f->d;
        int r = feature_row(f, i, x);

        if (r == SIM_OK)
            r = sim_normalise(x, f->d);
        if (r != SIM_OK)
            return err_set(e, "labelled vector %zu %s", i + 1, sim_reason(r));
    }
    return 0;
}

const float *neighbours_texts(const struct features *f, const struct span *name, const float *v, size_t n, size_t d,
                              struct arena *keep, struct err *e) {
    float *out = arena_take(keep, f->classes * f->d, sizeof *out);

    if (!out)
        return err_set(e, "no memory for %zu texts", f->classes), NULL;
    if (d != f->d)
        return err_set(e, "vectors of %zu numbers; the labelled ones have %zu", d, f->d), NULL;
    for (size_t i = 0; i < f->classes; i++) {
        const struct span label = f->label[i];
        size_t k = 0;

        while (k < n && !span_equal(name[k], label))
            k++;
        if (k == n)
            return err_set(e, "no text for the label %.*s", (int)size_min(label.n, 200), (const char *)label.p), NULL;
        memcpy(out + i * d, v + k * d, d * sizeof *out);
    }
    return out;
}

int neighbours_classes(struct neighbours *v, const struct query_source *from, struct arena *a, struct err *e) {
    struct err why = {0};
    struct scan_query q = {.force = true};    /* the texts need not be of the vectors' CLIP */
    struct labels l;

    if (query_open_labels(&l, from, &q, v->text_key, a, e) < 0)
        return -1;
    if (!(v->text = neighbours_texts(v->f, l.name, l.v, l.n, l.d, a, &why)))
        return err_at(e, from->labels, &why);
    if (*v->text_key)
        v->text_precision = precision_name(from->compute->kern->precision);
    else
        snprintf(v->text_key, sizeof v->text_key, "%016llx",
                 (unsigned long long)XXH64(v->text, v->f->classes * l.d * sizeof *l.v, 0));
    return 0;
}

struct job {
    const struct neighbours *v;
    struct sim_query q;
};

static void cosines(void *ctx, size_t i, int thread) {
    const struct job *j = ctx;
    const size_t lo = i * CHUNK, n = size_min(CHUNK, j->v->f->n - lo);

    (void)thread;
    sim_rows(&j->q, j->v->support + lo * j->v->f->d, n, j->v->cos + lo);
}

/* Fills v->nearest with the k largest cosines, the largest first, and v->best with the number of the vector in each
 * slot.  Of vectors with equal cosines, the earlier one comes first. */
static void nearest(struct neighbours *v) {
    topk_clear(&v->nearest);
    for (size_t i = 0; i < v->f->n; i++)
        if (topk_accepts(&v->nearest, v->cos[i]))
            v->best[topk_add(&v->nearest, v->cos[i])] = (uint32_t)i;
    topk_sort(&v->nearest);
}

int neighbours_run(struct neighbours *v, enum dtype dt, const void *x, double *score) {
    const size_t d = v->f->d;
    struct job j = {.v = v};
    int r = sim_query(&j.q, v->sim, dt, x, d, v->q);

    if (r != SIM_OK)
        return r;
    pool_run(v->pool, div_up(v->f->n, CHUNK), cosines, &j);
    memset(score, 0, v->f->classes * sizeof *score);
    if (!v->text) {
        nearest(v);
        for (size_t i = 0; i < v->nearest.n; i++) {
            const struct topk_item *item = &v->nearest.item[i];

            score[v->f->row[v->best[item->slot]].label] += v->plain ? 1 : exp(item->score / TEMPERATURE);
        }
        return SIM_OK;
    }
    sim_rows(&j.q, v->text, v->f->classes, score);
    for (size_t i = 0; i < v->f->classes; i++)
        score[i] *= SCALE;
    for (size_t i = 0; i < v->f->n; i++)
        score[v->f->row[i].label] += v->alpha * exp(-v->beta * (1 - v->cos[i]));
    return SIM_OK;
}
