#include "formats/scan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What all records of a kind share: everything but the id and the numbers. */
struct mould {
    struct span before;     /* from the end of the id to the numbers */
    struct span after;      /* from the numbers to the end of the record */
    struct vector v;        /* v.data of the record that it was made from */
    size_t bytes;           /* of the numbers */
};

static const size_t ROOM = (size_t)1 << 28;    /* address space for one record's tables */
enum { AHEAD = 8192 };                         /* of a part's end, for its last record */

int scan_start(struct scan *s, const struct scan_query *q, struct pool *pool, struct arena *a,
               struct err *e) {
    size_t threads = (size_t)pool_threads(pool);

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

        t->buf = arena_take(a, SCAN_BUFFER, 1);
        if (!t->buf || arena_split(a, ROOM, &t->mem, &t->room) < 0)
            return err_set(e, "out of memory");
    }
    return 0;
}

int scan_record(const struct scan_query *q, const struct record *r, double *cos,
                struct arena scratch, struct err *e) {
    struct vector v;
    int got;

    if (vector_find(&v, r, q->field, &scratch, e) < 0 ||
        vector_fits(&v, &q->from, q->joint, q->force, e) < 0)
        return -1;
    got = sim_cosine(&q->sim, v.dtype, v.data, cos);
    return got == SIM_OK ? 0 : err_set(e, "its %s %s", v.field, sim_reason(got));
}

/* The head of an id: its length and characters; false if it is not whole. */
static bool id_at(const unsigned char *p, size_t n, struct span *id, bool *bin) {
    struct mp_item it;

    if (mp_item(p, n, &it) != 1 || (it.kind != MP_STR && it.kind != MP_BIN) || it.n > n - it.head)
        return false;
    *id = (struct span){p + it.head, (size_t)it.n};
    *bin = it.kind == MP_BIN;
    return true;
}

/* Is the record at p of the mould?  Then its numbers and its end; else NULL. */
static const unsigned char *fill(const struct mould *m, const unsigned char *p, size_t n,
                                 size_t *used) {
    const unsigned char *q;
    struct span id;
    bool bin;

    if (!m->bytes || n < RECORD_START_LEN || memcmp(p, RECORD_START, RECORD_START_LEN) != 0 ||
        !id_at(p + RECORD_START_LEN, n - RECORD_START_LEN, &id, &bin))
        return NULL;
    q = id.p + id.n;
    if (m->before.n + m->bytes + m->after.n > n - (size_t)(q - p) ||
        memcmp(q, m->before.p, m->before.n) != 0 ||
        memcmp(q + m->before.n + m->bytes, m->after.p, m->after.n) != 0 ||
        (!bin && !utf8_valid(id.p, id.n)))
        return NULL;
    *used = (size_t)(q - p) + m->before.n + m->bytes + m->after.n;
    return q + m->before.n;
}

/* Parse the record at p and make a mould of it: its numbers, or NULL if it is not plain. */
static const void *make(struct mould *m, const struct scan_query *q, const unsigned char *p,
                        size_t n, size_t *used, struct arena *a) {
    const unsigned char *from, *data;
    struct record r;

    m->bytes = 0;
    if (record_parse(&r, p, n, used, a, NULL) != 1 || record_has(&r, "error") ||
        vector_find(&m->v, &r, q->field, a, NULL) < 0 ||
        vector_fits(&m->v, &q->from, q->joint, q->force, NULL) < 0)
        return NULL;
    from = r.id.p + r.id.n;
    data = m->v.data;
    if (data >= from && data < p + *used) {    /* not widened into the arena */
        m->bytes = m->v.d * dtype_size(m->v.dtype);
        m->before = (struct span){from, (size_t)(data - from)};
        m->after = (struct span){data + m->bytes, (size_t)(p + *used - data) - m->bytes};
    }
    return data;
}

/* A stretch of the stream in memory. */
struct view {
    const unsigned char *p;
    size_t base, n;    /* p[0] is byte base of the stream */
};

/* Have bytes from `at` on in view: of a file, `want` more of them are read. */
static bool look(const struct scan *s, struct scan_thread *t, struct view *v, size_t at,
                 size_t want) {
    size_t n = 0;
    ssize_t got;

    if (s->fd < 0) {
        *v = (struct view){s->p, 0, s->n};
        return true;
    }
    if (want > s->n - at)
        want = s->n - at;
    while (n < want && (got = pread(s->fd, t->buf + n, want - n, (off_t)(at + n))) != 0) {
        if (got < 0 && errno != EINTR)
            return false;
        n += got > 0 ? (size_t)got : 0;
    }
    *v = (struct view){t->buf, at, n};
    return true;
}

/* Score the record at `at`: its length, or 0 if it is not plain or not whole. */
static size_t score(const struct scan *s, struct scan_thread *t, struct mould *m,
                    const struct view *v, size_t at, double *cos) {
    const unsigned char *p = v->p + (at - v->base);
    size_t n = v->base + v->n - at, used;
    struct arena a = t->room;
    const void *data = fill(m, p, n, &used);

    if (!data)
        data = make(m, s->q, p, n, &used, &a);
    if (!data || sim_cosine(&s->q->sim, m->v.dtype, data, cos) != SIM_OK)
        return 0;
    return used;
}

/* From record to record; where one is cut by the view's end, look again from there. */
static void scan_part(void *ctx, size_t i, int thread) {
    struct scan *s = ctx;
    struct scan_thread *t = &s->thread[thread];
    struct scan_part *part = &s->part[i];
    struct mould m = {.bytes = 0};
    struct view v;
    size_t at = part->lo, used;
    double cos;

    if (!look(s, t, &v, at, SCAN_STEP + AHEAD))
        return;
    if (i > 0)
        at = v.base + record_find_start(v.p, v.n, at - v.base);
    if (at >= part->hi)
        return;
    part->first = part->end = at;
    while (at < part->hi && part->nhit < SCAN_HITS) {
        used = score(s, t, &m, &v, at, &cos);
        if (!used && s->fd >= 0 && at > v.base && v.base + v.n < s->n) {
            m.bytes = 0;    /* the mould lay in the buffer */
            if (look(s, t, &v, at, SCAN_BUFFER))
                used = score(s, t, &m, &v, at, &cos);
        }
        if (!used)
            break;
        if (cos > s->over && cos >= s->least)
            part->hit[part->nhit++] =
                (struct scan_hit){cos, (unsigned)(at - part->first), (unsigned)used};
        part->count++;
        part->end = at += used;
    }
}

void scan_run(struct scan *s, const unsigned char *p, size_t n, size_t at, int fd) {
    size_t step = fd < 0 ? n - at : SCAN_STEP;

    s->p = p, s->n = n, s->fd = fd;
    s->parts = s->next = 0;
    for (s->hi = at; s->hi < n && s->parts < SCAN_PARTS; s->parts++) {
        struct scan_part *part = &s->part[s->parts];
        size_t lo = s->hi;

        s->hi = step < n - lo ? lo + step : n;
        *part = (struct scan_part){.lo = lo, .hi = s->hi, .first = SIZE_MAX, .hit = part->hit};
    }
    pool_run(s->parts > 1 ? s->pool : NULL, s->parts, scan_part, s);
}

size_t scan_take(struct scan *s, size_t at, uint64_t *count,
                 int (*each)(void *ctx, double score, struct span bytes), void *ctx) {
    for (; s->next < s->parts; s->next++) {
        const struct scan_part *part = &s->part[s->next];

        if (at >= part->hi)
            continue;               /* a long record covered it */
        if (at != part->first)
            break;
        for (size_t i = 0; i < part->nhit; i++) {
            const struct scan_hit *h = &part->hit[i];

            if (each(ctx, h->score, (struct span){s->p + part->first + h->at, h->n}) < 0)
                return at;
        }
        *count += part->count;
        at = part->end;
        if (at < part->hi)
            break;                  /* something there is not plain */
    }
    return at;
}
