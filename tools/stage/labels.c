#include "tools/stage/labels.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/io/file_read.h"
#include "formats/io/file_replace.h"
#include "formats/io/lines.h"
#include "formats/io/write_all.h"
#include "formats/record/params.h"
#include "formats/record/stream.h"
#include "lib/vector/similarity.h"
#include "tools/stage/missing.h"

static bool is_stream(struct span text) {
    return text.n >= RECORD_START_LEN && memcmp(text.p, RECORD_START, RECORD_START_LEN) == 0;
}

/* ---- text ---- */

static int from_text(struct labels *l, struct span text, struct arena *a, struct err *e) {
    struct lines at = lines_of(text);
    struct span line;
    int r;

    while ((r = text_line(&at, &line, e)) > 0)
        l->n++;
    if (r < 0)
        return -1;
    l->name = arena_take(a, l->n, sizeof *l->name);
    if (!l->name)
        return err_set(e, "out of memory");
    at = lines_of(text);
    for (size_t i = 0; text_line(&at, &line, e) > 0; i++)
        l->name[i] = line;
    return l->n ? 0 : err_set(e, "no label in it");
}

/* ---- streams ---- */

static int name_of(const struct record *r, struct span *name, struct err *e) {
    int got = record_str(r, "label", name, e);

    if (got == 0)
        got = record_str(r, "text", name, e);
    if (got == 0)
        *name = record_name(r);
    return got < 0 ? -1 : 0;
}

/* Stores the name, width and model of record i in l, and, if l->v is allocated, also the vector. */
static int take(struct labels *l, size_t i, const struct record *r, struct arena scratch,
                struct err *e) {
    struct span model = {0};
    const float *v;
    size_t d;
    int got;

    if (i == 0)
        l->field = record_has(r, "text_embed") || !record_has(r, "image_embed") ? "text_embed" : "image_embed";
    if (record_sub_str(r, "model", l->field, &model, e) < 0 ||
        name_of(r, &l->name[i], e) < 0)
        return -1;
    got = record_floats(r, l->field, &v, &d, &scratch, e);
    if (got <= 0)
        return got < 0 ? -1 : field_missing(r, l->field, e);
    if (i == 0)
        l->d = d, l->model = model;
    if (d != l->d)
        return err_set(e, "its %s is %zu wide, the first one %zu", l->field, d, l->d);
    if (!span_equal(model, l->model))
        return err_set(e, "its %s is of another model than the first one", l->field);
    got = record_float(r, "logit_scale", &l->scale, e);
    if (got < 0)
        return -1;
    if (got == 0)
        params_float(r, "clip-embed", "logit_scale", &l->scale);
    if (!l->v)
        return 0;
    memcpy(l->v + i * d, v, d * sizeof *v);
    got = sim_normalise(l->v + i * d, d);
    return got == SIM_OK ? 0 : err_set(e, "its %s %s", l->field, sim_reason(got));
}

/* Goes once over the records in `text`, a stream in memory.  If l->name is not allocated yet, counts the records in
 * l->n; otherwise calls take for each record.  Unless `key` is NULL, each record's labels_key must equal `key`. */
static int pass(struct labels *l, struct span text, const char *key, struct arena scratch,
                struct err *e) {
    size_t at = 0, used, i;

    for (i = 0; at < text.n; i++, at += used) {
        struct arena a = scratch;
        struct err why = {0};
        struct record r;
        struct span k;
        int got = record_parse(&r, text.p + at, text.n - at, &used, &a, &why);

        if (got <= 0)
            return err_set(e, "record %zu: %s", i + 1, got < 0 ? why.msg : "cut short");
        if (key && (record_str(&r, "labels_key", &k, &why) <= 0 ||
                    !span_is(k, key)))
            return err_set(e, "record %zu: made from something else", i + 1);
        if (l->name && i >= l->n)
            return err_set(e, "more records than labels");
        if (l->name && take(l, i, &r, a, &why) < 0)
            return err_set(e, "record %zu: %s", i + 1, why.msg);
    }
    if (l->name && i != l->n)
        return err_set(e, "fewer records than labels");
    l->n = i;
    return 0;
}

static int from_stream(struct labels *l, struct span text, const char *key, struct arena *a,
                       struct err *e) {
    if (pass(l, text, key, *a, e) < 0)        /* counts the records */
        return -1;
    l->name = arena_take(a, l->n, sizeof *l->name);
    if (!l->name)
        return err_set(e, "out of memory");
    if (pass(l, text, key, *a, e) < 0)        /* takes names, width and model */
        return -1;
    if (l->d == 0)
        return err_set(e, "its vectors are empty");
    l->v = arena_take(a, l->n * l->d, sizeof *l->v);    /* no overflow: the text holds as many numbers */
    if (!l->v)
        return err_set(e, "out of memory");
    return pass(l, text, key, *a, e);         /* takes the vectors, too */
}

int labels_parse(struct labels *l, struct span text, struct arena *a, struct err *e) {
    *l = (struct labels){.field = "text_embed"};
    return is_stream(text) ? from_stream(l, text, NULL, a, e) : from_text(l, text, a, e);
}

int labels_open(struct labels *l, const char *path, struct arena *a, struct err *e) {
    struct span text;

    *l = (struct labels){0};
    return file_read(path, TEXT_FILE_MAX, &text, a, e) < 0 ? -1 : labels_parse(l, text, a, e);
}

/* ---- the cache ---- */

static void hash_size(XXH3_state_t *s, size_t n) {
    unsigned char b[8];

    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)((uint64_t)n >> 8 * i);
    XXH3_128bits_update(s, b, sizeof b);
}

static void hash(XXH3_state_t *s, struct span part) {
    hash_size(s, part.n);
    XXH3_128bits_update(s, part.p, part.n);
}

void labels_key(char key[LABELS_KEY], const char *fingerprint, const struct labels *l,
                const struct templates *t) {
    XXH3_state_t s;
    XXH128_hash_t h;

    XXH3_INITSTATE(&s);
    XXH3_128bits_reset(&s);
    hash(&s, span_of(fingerprint));
    hash_size(&s, l->n);
    for (size_t i = 0; i < l->n; i++)
        hash(&s, l->name[i]);
    for (size_t i = 0; i < t->n; i++) {
        hash(&s, t->v[i].before);
        hash(&s, t->v[i].after);
    }
    h = XXH3_128bits_digest(&s);
    snprintf(key, LABELS_KEY, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
}

/* Returns true if `text` is a stream whose first record has a labels_key or is cut.  Other files are not caches. */
static bool is_cache(struct span text, struct arena scratch) {
    struct record r;
    size_t used;
    int got = is_stream(text) ? record_parse(&r, text.p, text.n, &used, &scratch, NULL) : -1;

    return got == 0 || (got == 1 && record_has(&r, "labels_key"));    /* 0: the first record is cut */
}

int labels_cache_read(struct labels *l, const char *path, const char *key, struct arena *a,
                      struct err *e) {
    struct labels got = {0};
    struct arena before = *a;
    struct err why = {0};
    struct span text;
    bool fresh;

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (file_read(path, TEXT_FILE_MAX, &text, a, e) < 0)
        return -1;
    if (text.n && !is_cache(text, *a))
        return err_set(e, "not a cache of labels; it is left as it is");
    fresh = text.n && from_stream(&got, text, key, a, &why) == 0 && got.n == l->n;
    for (size_t i = 0; fresh && i < l->n; i++)
        fresh = span_equal(got.name[i], l->name[i]);
    if (!fresh) {
        *a = before;
        return 0;
    }
    *l = got;
    return 1;
}

static int encode(const struct labels *l, size_t i, const char *key, struct span *out,
                  struct arena *a, struct err *e) {
    struct span id;
    struct record r;
    bool bin;

    if (record_id(l->name[i], &id, &bin, a, e) < 0 || record_new(&r, id, bin, a, e) < 0 ||
        record_set_text(&r, "label", l->name[i], e) < 0 ||
        record_set_tensor(&r, "text_embed", DT_F32, l->v + i * l->d, 1, &l->d, e) < 0 ||
        record_set_sub_text(&r, "model", "text_embed", l->model, e) < 0 ||
        (l->scale > 0 && record_set_float(&r, "logit_scale", l->scale, e) < 0) ||
        record_set_text(&r, "labels_key", span_of(key), e) < 0)
        return -1;
    return record_encode(&r, out, a, e);
}

int labels_cache_write(const struct labels *l, const char *path, const char *key,
                       struct arena scratch, struct err *e) {
    struct file_new f;
    int bad = 0;

    if (file_new_open(&f, path, e) < 0)
        return -1;
    for (size_t i = 0; i < l->n && !bad; i++) {
        struct arena a = scratch;
        struct span s;

        bad = encode(l, i, key, &s, &a, e);
        if (!bad && write_all(f.fd, s.p, s.n) < 0)
            bad = err_set(e, "%s", strerror(errno));
    }
    if (!bad)
        return file_new_keep(&f, false, e);
    file_new_drop(&f);
    return -1;
}
