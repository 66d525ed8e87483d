#include "formats/record/resume.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/record/stream.h"

enum { FIELDS_MAX = 8 };

/* Hashes the length of s and then s, so that different lists of parts never hash the same bytes. */
static void part(XXH3_state_t *x, struct span s) {
    uint64_t n = s.n;

    XXH3_128bits_update(x, &n, sizeof n);
    XXH3_128bits_update(x, s.p, s.n);
}

/* Hashes a program's map of parameters, except the entries `version` and `kernel`, which do not change what is computed. */
static void parts_of_map(XXH3_state_t *x, struct span map) {
    struct mp_item it, key;
    size_t at, k, v;

    if (mp_item(map.p, map.n, &it) != 1 || it.kind != MP_MAP) {
        part(x, map);
        return;
    }
    at = it.head;
    for (uint64_t i = 0; i < it.n; i++, at += k + v) {
        struct span name = {0};

        k = mp_size(map.p + at, map.n - at);
        v = mp_size(map.p + at + k, map.n - at - k);
        if (mp_item(map.p + at, k, &key) == 1 && key.kind == MP_STR)
            name = span_bytes(map.p + at + key.head, k - key.head);
        if (!span_is(name, "version") && !span_is(name, "kernel"))
            part(x, span_bytes(map.p + at, k + v));
    }
}

struct resume_key resume_key(struct span id, struct file_stamp stamp, struct span params, size_t n, const struct span fp[]) {
    XXH3_state_t x;
    XXH128_hash_t h;

    XXH3_128bits_reset(&x);
    part(&x, id);
    part(&x, span_bytes(&stamp.size, stamp.known ? sizeof stamp.size : 0));
    part(&x, span_bytes(&stamp.mtime, stamp.known ? sizeof stamp.mtime : 0));
    parts_of_map(&x, params);
    for (size_t i = 0; i < n; i++)
        part(&x, fp[i]);
    h = XXH3_128bits_digest(&x);
    return (struct resume_key){h.high64, h.low64 | 1};    /* never {0, 0} */
}

struct resume_key resume_content_key(const struct record *r, struct arena scratch) {
    struct err none = {0};
    struct span s;
    XXH128_hash_t h;

    if (record_encode(r, &s, &scratch, &none) < 0)
        return (struct resume_key){0};
    h = XXH3_128bits(s.p, s.n);
    return (struct resume_key){h.high64, h.low64 | 1};
}

struct file_stamp resume_stamp(const struct record *r) {
    return record_by_content(r) ? (struct file_stamp){0} : record_stamp(r);
}

/* Returns the slot that holds the key k, or the empty slot where k is to be stored. */
static struct resume_slot *find(struct resume_slot *slot, size_t cap, struct resume_key k) {
    size_t i = (size_t)k.lo % cap;

    while (slot[i].key.lo && (slot[i].key.hi != k.hi || slot[i].key.lo != k.lo))
        i = i + 1 == cap ? 0 : i + 1;
    return &slot[i];
}

uint64_t resume_left(const struct resume *s, struct resume_key k) {
    return s->n ? find(s->slot, s->cap, k)->left : 0;
}

bool resume_take(struct resume *s, struct resume_key k) {
    if (!resume_left(s, k))
        return false;
    find(s->slot, s->cap, k)->left--;
    return true;
}

/* Doubles the table, so that it is half full at most.  The old tables stay in the arena; together they are not larger
 * than the last table. */
static int grow(struct resume *s, struct arena *keep) {
    size_t cap = s->cap ? 2 * s->cap : 1024;
    struct resume_slot *slot = arena_zero(keep, cap, sizeof *slot);

    if (!slot)
        return -1;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slot[i].key.lo)
            *find(slot, cap, s->slot[i].key) = s->slot[i];
    s->slot = slot;
    s->cap = cap;
    return 0;
}

static int add(struct resume *s, struct resume_key k, struct arena *keep) {
    struct resume_slot *at;

    if (2 * (s->n + 1) > s->cap && grow(s, keep) < 0)
        return -1;
    at = find(s->slot, s->cap, k);
    s->n += !at->key.lo;
    at->key = k;
    at->left++;
    return 0;
}

/* Adds the record's key to the table.  A record with the field `error`, which the run tries again, and one that was only passed
 * on have the key of their content. */
static int add_record(struct resume *s, const struct record *r, const char *program, size_t nfields,
                      const char *const fields[], struct arena *keep, struct arena scratch) {
    struct span params = {0}, fp[FIELDS_MAX];
    struct err none = {0};

    if (record_has(r, "error") || record_params_of(r, program, &params) <= 0) {
        struct resume_key k = resume_content_key(r, scratch);

        return k.lo ? add(s, k, keep) : 0;
    }
    for (size_t i = 0; i < nfields; i++)
        if (record_sub_str(r, "model", fields[i], &fp[i], &none) <= 0)
            fp[i] = (struct span){0};
    return add(s, resume_key(r->id, resume_stamp(r), params, nfields, fp), keep);
}

int resume_load(struct resume *s, const char *file, const char *program, size_t nfields,
                const char *const fields[], struct arena *keep, struct err *e) {
    struct stream in;
    struct record r;
    struct err bad = {0};
    struct arena_mem table_mem;
    struct arena table, scratch;
    int got;

    memset(s, 0, sizeof *s);
    if (nfields > FIELDS_MAX)
        return err_set(e, "too many fields");
    if (access(file, F_OK) != 0 && errno == ENOENT)
        return 0;
    /* the table is split off the end of keep; records are read into scratch, the rest of keep */
    if (arena_split(keep, (size_t)(keep->end - keep->at) / 4, &table_mem, &table) < 0)
        return err_set(e, "out of memory");
    scratch = *keep;
    if (stream_open(&in, file, &scratch, arena_share(&scratch, 4, (size_t)1 << 32), e) < 0)
        return -1;
    for (;;) {
        struct arena a = scratch;
        got = stream_next(&in, &r, &a, &bad);
        if (got == 0 || got == -2)
            break;
        if (got == 1) {
            s->end = in.base + in.at;
            if (add_record(s, &r, program, nfields, fields, &table, a) < 0) {
                stream_close(&in);
                return err_set(e, "out of memory");
            }
        }
        err_clear(&bad);
    }
    s->size = in.base + in.len;
    stream_close(&in);
    return got == -2 ? err_set(e, "%s", bad.msg) : 0;
}

int record_params_of(const struct record *r, const char *program, struct span *map) {
    struct span all;

    return record_raw(r, "params", &all) > 0 ? mp_last_pair(all, program, map) : 0;
}
