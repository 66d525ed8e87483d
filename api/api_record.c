/* Records: reading a stream, getting and setting fields, bytes. */
#include <errno.h>
#include <string.h>

#include "api/api_inside.h"
#include "formats/io/region.h"
#include "formats/record/json_record.h"
#include "formats/record/stream.h"
#include "lib/base/size.h"

static const size_t READER_ROOM = (size_t)1 << 34, RECORD_ROOM = (size_t)1 << 32;    /* bytes of address space */

struct unclip_record {
    struct unclip *u;
    struct arena_mem mem;
    struct arena arena;
    struct record r;
    const char *id;
    bool lent;              /* the record belongs to a reader: unclip_record_free ignores it */
};

struct unclip_reader {
    struct unclip_record record;    /* the current record; its arena is the reader's */
    struct arena_mem mem;
    struct arena empty;             /* state of the reader's arena before a record is read */
    struct stream stream;
    const char *path;
    bool over;
};

/* Begins a call for a record: clears the error message.  Returns -1 if r is NULL. */
static int enter(const struct unclip_record *r) {
    return r ? api_enter(r->u) : -1;
}

/* Begins a call that sets a field.  Returns -1 if r or field is NULL, or if field is not UTF-8. */
static int enter_set(const struct unclip_record *r, const char *field) {
    if (enter(r) < 0 || api_need(r->u, field, "field") < 0)
        return -1;
    return utf8_valid(field, strlen(field)) ? 0 : err_set(&r->u->err, "the name of a field is not UTF-8");
}

/* ---- readers ---- */

struct unclip_reader *unclip_reader_new(struct unclip *u, const char *path) {
    struct unclip_reader *s;
    struct arena_mem mem;
    struct err why = {0};
    struct arena a;

    if (api_enter(u) < 0 || api_need(u, path, "path") < 0 || region_reserve(&mem, READER_ROOM, &u->err) < 0)
        return NULL;
    a = arena_open(&mem);
    s = arena_zero(&a, 1, sizeof *s);
    if (s) {
        s->mem = mem, s->empty = a;
        s->empty.mem = &s->mem;
        s->record.u = u, s->record.lent = true;
        s->path = arena_str(&s->empty, path, strlen(path));
    }
    if (s && s->path && stream_open(&s->stream, s->path, &s->empty, arena_share(&s->empty, 2, READER_ROOM), &why) == 0)
        return s;
    if (why.msg[0])
        api_failed(u, path, &why);
    else
        err_set(&u->err, "out of memory");
    if (s)
        mem = s->mem;
    region_release(&mem);
    return NULL;
}

void unclip_reader_free(struct unclip_reader *s) {
    struct arena_mem mem;

    if (!s)
        return;
    stream_close(&s->stream);
    mem = s->mem;
    region_release(&mem);
}

int unclip_reader_next(struct unclip_reader *s, struct unclip_record **r) {
    struct unclip_record *now;
    struct err why = {0};
    int got;

    if (r)
        *r = NULL;
    if (!s || api_enter(s->record.u) < 0 || api_need(s->record.u, r, "r") < 0)
        return -1;
    if (s->over)
        return 0;
    now = &s->record;
    now->arena = s->empty;
    do
        err_clear(&why);
    while ((got = stream_next(&s->stream, &now->r, &now->arena, &why)) == -2 && errno == EINTR);
    s->over = got == 0 || got == -2;
    if (got > 0 && !(now->id = arena_str(&now->arena, now->r.id.p, now->r.id.n)))
        got = err_set(&why, "out of memory");
    if (got < 0)
        return api_failed(now->u, s->path, &why);
    if (got > 0)
        *r = now;
    return got;
}

/* ---- records ---- */

struct unclip_record *unclip_record_new(struct unclip *u, const char *id) {
    struct unclip_record *r;
    struct arena_mem mem;
    struct arena a;
    struct span name;
    bool bin;

    if (api_enter(u) < 0 || api_need(u, id, "id") < 0 || region_reserve(&mem, RECORD_ROOM, &u->err) < 0)
        return NULL;
    region_small(&mem);
    a = arena_open(&mem);
    r = arena_zero(&a, 1, sizeof *r);
    if (r) {
        r->mem = mem, r->arena = a, r->u = u;
        r->arena.mem = &r->mem;
        name = arena_span(&r->arena, span_of(id));
        if (name.p && record_id(name, &name, &bin, &r->arena, &u->err) == 0 && record_new(&r->r, name, bin, &r->arena, &u->err) == 0 &&
            (r->id = arena_str(&r->arena, name.p, name.n)))
            return r;
        mem = r->mem;
    }
    region_release(&mem);
    err_set(&u->err, "out of memory");
    return NULL;
}

void unclip_record_free(struct unclip_record *r) {
    struct arena_mem mem;

    if (!r || r->lent)
        return;
    mem = r->mem;
    region_release(&mem);
}

const char *unclip_record_id(struct unclip_record *r, size_t *n) {
    if (enter(r) < 0)
        return NULL;
    if (n)
        *n = r->r.id.n;
    return r->id;
}

/* ---- getting ---- */

static int give(struct unclip_record *r, struct span s, const char **text, size_t *n) {
    *text = arena_str(&r->arena, s.p, s.n);
    if (!*text)
        return err_set(&r->u->err, "out of memory");
    if (n)
        *n = s.n;
    return 1;
}

int unclip_record_text(struct unclip_record *r, const char *field, const char **text, size_t *n) {
    struct span s;
    int got;

    if (enter(r) < 0 || api_need(r->u, field, "field") < 0 || api_need(r->u, text, "text") < 0)
        return -1;
    got = record_str(&r->r, field, &s, &r->u->err);
    return got > 0 ? give(r, s, text, n) : got;
}

int unclip_record_floats(struct unclip_record *r, const char *field, size_t room, float *v, size_t *n) {
    const float *all;
    struct arena a;
    int got;

    if (enter(r) < 0 || api_need(r->u, field, "field") < 0 || api_need(r->u, n, "n") < 0 || (room && api_need(r->u, v, "v") < 0))
        return -1;
    a = r->arena;
    got = record_numbers(&r->r, field, &all, n, &a, &r->u->err);
    if (got > 0 && room && *n)
        memcpy(v, all, size_min(room, *n) * sizeof *v);
    return got;
}

int unclip_record_json(struct unclip_record *r, const char *field, const char **json, size_t *n) {
    struct arena scratch;
    struct span val, s;
    struct mp m;
    int got;

    if (enter(r) < 0 || api_need(r->u, json, "json") < 0)
        return -1;
    if (field && !(got = record_raw(&r->r, field, &val)))
        return got;
    scratch = r->u->arena;    /* the JSON text grows in the arena of the record, so scratch comes from the handle's */
    mp_open(&m, &r->arena);
    got = field ? json_write_value(&m, val, JSON_ARRAYS, scratch, &r->u->err) : json_write(&m, &r->r, JSON_ARRAYS, scratch, &r->u->err);
    if (got < 0)
        return -1;
    if (m.full)
        return err_set(&r->u->err, "out of memory");
    s = mp_span(&m);
    return give(r, span_bytes(s.p, s.n - !field), json, n);    /* a whole record ends in a newline */
}

/* ---- setting ---- */

int unclip_record_set_text(struct unclip_record *r, const char *field, const char *text) {
    if (enter_set(r, field) < 0 || api_need(r->u, text, "text") < 0)
        return -1;
    return record_set_text(&r->r, field, span_of(text), &r->u->err);
}

int unclip_record_set_number(struct unclip_record *r, const char *field, double v) {
    return enter_set(r, field) < 0 ? -1 : record_set_float(&r->r, field, v, &r->u->err);
}

int unclip_record_set_floats(struct unclip_record *r, const char *field, const char *model, size_t nd, const size_t shape[],
                             const float *v) {
    if (enter_set(r, field) < 0 || api_need(r->u, shape, "shape") < 0 || api_need(r->u, v, "v") < 0)
        return -1;
    if (nd < 1 || nd > TENSOR_DIMS)
        return err_set(&r->u->err, "%s: %zu axes: not between 1 and %d", field, nd, TENSOR_DIMS);
    if (record_set_tensor(&r->r, field, DT_F32, v, (int)nd, shape, &r->u->err) < 0)
        return -1;
    return model ? record_set_sub_text(&r->r, "model", field, span_of(model), &r->u->err)
                 : record_drop_sub(&r->r, "model", field, &r->u->err);
}

int unclip_record_bytes(struct unclip_record *r, const void **bytes, size_t *n) {
    struct arena a;
    struct span s;

    if (enter(r) < 0 || api_need(r->u, bytes, "bytes") < 0 || api_need(r->u, n, "n") < 0)
        return -1;
    a = r->arena;    /* a copy: the next call for the record overwrites the bytes */
    if (record_encode(&r->r, &s, &a, &r->u->err) < 0)
        return -1;
    *bytes = s.p, *n = s.n;
    return 0;
}
