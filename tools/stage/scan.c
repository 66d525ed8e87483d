#include "tools/stage/scan.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/size.h"

static const size_t ROOM = (size_t)1 << 28;    /* address space for one record's tables */
/* Some bytes beyond a part's end are read, for the part's last record: AHEAD bytes, or, if the longest record so far is
 * shorter, this record's length and SLACK bytes, in case another id is longer. */
enum { AHEAD = 8192, SLACK = 64 };
enum { PAGE = 4096 };

int scan_start(struct scan *s, const struct scan_query *q, struct pool *pool, struct arena *a,
               struct err *e) {
    size_t threads = (size_t)pool_threads(pool);
    float *v;

    *s = (struct scan){.q = q, .pool = pool, .fd = -1};
    s->part = arena_zero(a, SCAN_PARTS, sizeof *s->part);
    s->thread = arena_take(a, threads, sizeof *s->thread);
    if (!s->part || !s->thread)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < SCAN_PARTS; i++)
        if (!(s->part[i].hit = arena_take(a, SCAN_HITS, sizeof *s->part[i].hit)))
            return err_set(e, "out of memory");
    for (size_t i = 0; i < threads; i++) {
        struct scan_thread *t = &s->thread[i];

        *t = (struct scan_thread){.buf = arena_take(a, SCAN_BUFFER + PAGE, 1)};
        if (!t->buf || arena_split(a, arena_share(a, 4 * threads, ROOM), &t->mem, &t->room) < 0)
            return err_set(e, "out of memory");
        t->buf += (PAGE - (uintptr_t)t->buf % PAGE) % PAGE;
    }
    if (!(v = arena_take(a, q->sim.d, sizeof *v)))
        return err_set(e, "out of memory");
    sim_filter(&s->filter, &q->sim, v);
    return 0;
}

bool scan_unsure(const struct scan_query *q, const struct vector *v) {
    return q->clip && !q->force && v->model.n && !span_is(v->model, q->clip->fits) && strcmp(v->field, q->from.field) != 0;
}

int scan_fits(const struct scan_query *q, const struct record *r, const struct vector *v, struct arena scratch, struct err *e) {
    struct origin_mark mark;
    struct span ours;

    if (vector_fits(v, &q->from, q->joint, q->force, e) < 0)
        return -1;
    if (!scan_unsure(q, v))
        return 0;
    mark = origin_mark(r, v->field);
    if (origin_of(&q->clip->origin, &mark, v->field, &ours, scratch) == ORIGIN_OTHER)
        return err_set(e, "its %s is of model %.*s, the %s tower of the CLIP that it is compared with is %.*s (--force)", v->field,
                       (int)size_min(v->model.n, 40), (const char *)v->model.p,
                       strcmp(v->field, "image_embed") ? "text" : "image", (int)ours.n, (const char *)ours.p);
    if (v->model.n < sizeof q->clip->fits) {
        memcpy(q->clip->fits, v->model.p, v->model.n);
        q->clip->fits[v->model.n] = 0;
    }
    return 0;
}

int scan_record(const struct scan_query *q, const struct record *r, double *cos,
                struct arena scratch, struct err *e) {
    struct vector v;
    int got;

    if (vector_find(&v, r, q->field, &scratch, e) < 0 || scan_fits(q, r, &v, scratch, e) < 0)
        return -1;
    got = sim_cosine(&q->sim, v.dtype, v.data, cos);
    return got == SIM_OK ? 0 : err_set(e, "its %s %s", v.field, sim_reason(got));
}

/* Bytes of the stream that are in memory. */
struct view {
    const unsigned char *p;
    size_t base, n;    /* p[0] is byte `base` of the stream */
};

/* Sets *v to the bytes of the stream from `at` on; of a file, to those before `to`.  Returns false if byte `at` cannot
 * be read.  Whole pages are copied to whole pages, because with other offsets some processors copy at a third of the
 * speed (bench/NOTES.md, rank). */
static bool look(const struct scan *s, struct scan_thread *t, struct view *v, size_t at,
                 size_t to) {
    size_t base = at / PAGE * PAGE, want, n = 0;
    ssize_t got;

    if (s->fd < 0) {
        *v = (struct view){s->p, 0, s->n};
        return true;
    }
    want = (to < s->n ? to : s->n) - base;
    if (want > SCAN_BUFFER)
        want = SCAN_BUFFER;
    if (t->mapped)
        n = want;
    while (n < want && (got = pread(s->fd, t->buf + n, want - n, (off_t)(base + n))) != 0) {
        if (got < 0 && errno != EINTR)
            return false;
        n += got > 0 ? (size_t)got : 0;
    }
    *v = (struct view){t->mapped ? s->p + base : t->buf, base, n};
    return n > at - base;
}

/* Scores the record at byte `at`.  Returns the record's length, or 0 if it is not plain or not whole. */
static size_t score(const struct scan *s, struct scan_thread *t, const struct view *v, size_t at,
                    double *cos) {
    const unsigned char *p = v->p + (at - v->base);
    size_t n = v->base + v->n - at, used;
    const void *data = scan_fill(&t->mould, p, n, &used);
    struct arena a = t->room;

    if (!data)
        data = scan_make(&t->mould, s->q, p, n, &used, &a);
    if (!data)
        return 0;
    if (s->limit > -1 && sim_below(&s->filter, t->mould.dtype, data, s->limit))
        *cos = -1;
    else if (sim_cosine(&s->q->sim, t->mould.dtype, data, cos) != SIM_OK)
        return 0;
    return used;
}

/* Scores the records of a part, one after another.  If the end of the view cuts a record, moves the view to the
 * record's beginning. */
static void pass_over(const struct scan *s, struct scan_thread *t, struct scan_part *part) {
    struct view v;
    size_t at = part->lo, used;
    double cos;

    if (!look(s, t, &v, at, part->hi + (t->longest && t->longest < AHEAD ? t->longest + SLACK : AHEAD)))
        return;
    if (part > s->part)
        at = v.base + record_find_start(v.p, v.n, at - v.base);
    if (at >= part->hi)
        return;
    part->first = part->end = at;
    while (at < part->hi && part->nhit < SCAN_HITS) {
        used = score(s, t, &v, at, &cos);
        if (!used && s->fd >= 0 && at / PAGE * PAGE > v.base && v.base + v.n < s->n &&
            look(s, t, &v, at, at + SCAN_BUFFER))
            used = score(s, t, &v, at, &cos);
        if (!used)
            break;
        if (cos > s->over && cos >= s->least)
            part->hit[part->nhit++] =
                (struct scan_hit){cos, (unsigned)(at - part->first), (unsigned)used};
        if (used > t->longest)
            t->longest = used;
        part->count++;
        part->end = at += used;
    }
}

static int64_t now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void scan_part(void *ctx, size_t i, int thread) {
    struct scan *s = ctx;
    struct scan_thread *t = &s->thread[thread];
    int64_t begun = s->way == SCAN_TRY ? now() : 0;

    t->mapped = s->way == SCAN_MAP || (s->way == SCAN_TRY && i % 2);
    pass_over(s, t, &s->part[i]);
    if (s->way == SCAN_TRY)
        s->part[i].ns = now() - begun;
}

/* Returns a number that grows when this process reads something from a disk. */
static long disk(void) {
    struct rusage u;

    return getrusage(RUSAGE_SELF, &u) < 0 ? 0 : u.ru_inblock + u.ru_majflt;
}

/* Returns the faster way after a stretch whose parts were read and mapped in turn: SCAN_MAP if the map was faster in
 * most pairs of parts.  Pairs are counted, and times are not added, because a part may have waited for the
 * processor. */
static enum scan_way better(const struct scan *s) {
    size_t pairs = 0, wins = 0;

    for (size_t i = 0; i + 1 < s->parts; i += 2, pairs++) {
        const struct scan_part *read = &s->part[i], *map = read + 1;

        if (read->end < read->hi || map->end < map->hi)
            return SCAN_READ;
        wins += map->ns < read->ns;
    }
    return 2 * wins > pairs ? SCAN_MAP : SCAN_READ;
}

/* Returns the greatest number of parts of the next stretch.  The number is small at first, because after a few parts
 * there is a threshold, which most records do not reach.  The number is smaller for a map than for reading, because the
 * map's pages stay in memory until the stretch is taken. */
static size_t most(struct scan *s) {
    size_t before = s->warm;

    s->warm = before ? 2 * before : 4 * (size_t)pool_threads(s->pool);
    if (s->warm > SCAN_PARTS)
        s->warm = SCAN_PARTS;
    if (s->way == SCAN_UNTRIED && before && s->warm >= SCAN_TRIAL)
        s->way = SCAN_TRY;
    return s->way == SCAN_MAP && s->warm > SCAN_PARTS / 2 ? SCAN_PARTS / 2 : s->warm;
}

void scan_run(struct scan *s, const unsigned char *p, size_t n, size_t at, int fd) {
    size_t parts = fd < 0 ? 1 : most(s);
    long before = fd < 0 ? 0 : disk();

    s->p = p, s->n = n, s->fd = fd;
    s->limit = s->over > s->least ? s->over : s->least;
    s->parts = s->next = 0;
    for (s->hi = at; s->hi < n && s->parts < parts; s->parts++) {
        struct scan_part *part = &s->part[s->parts];
        size_t lo = s->hi, step = fd < 0 ? n : SCAN_STEP - lo % SCAN_STEP;

        s->hi = step < n - lo ? lo + step : n;
        *part = (struct scan_part){.lo = lo, .hi = s->hi, .first = SIZE_MAX, .hit = part->hit};
    }
    pool_run(s->parts > 1 ? s->pool : NULL, s->parts, scan_part, s);
    if (fd < 0)
        return;
    if (s->way == SCAN_TRY)
        s->way = s->parts == parts ? better(s) : SCAN_READ;
    if (s->way == SCAN_MAP && disk() != before)    /* from a disk, reading is faster: the system reads ahead */
        s->way = SCAN_READ;
}

size_t scan_take(struct scan *s, size_t at, uint64_t *count,
                 int (*each)(void *ctx, double score, struct span bytes), void *ctx) {
    for (; s->next < s->parts; s->next++) {
        const struct scan_part *part = &s->part[s->next];

        if (at >= part->hi)
            continue;               /* a long record of an earlier part covered this part */
        if (at != part->first)
            break;
        for (size_t i = 0; i < part->nhit; i++) {
            const struct scan_hit *h = &part->hit[i];

            if (each(ctx, h->score, span_bytes(s->p + part->first + h->at, h->n)) < 0)
                return at;
        }
        *count += part->count;
        at = part->end;
        if (at < part->hi)
            break;                  /* the record at `at` is not plain, or the part has no room for more hits */
    }
    return at;
}
