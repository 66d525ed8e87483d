#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "formats/record/record.h"

enum { HASH = 32 };    /* hex digits of a content id */

int record_content_id(const void *p, size_t n, struct span *id, struct arena *a, struct err *e) {
    XXH128_hash_t h = XXH3_128bits(p, n);
    char hex[33];

    snprintf(hex, sizeof hex, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
    *id = arena_span(a, span_of(hex));
    return id->p ? 0 : err_set(e, "no memory");
}

int record_of_file(struct record *r, const char *name, const char *hash, const struct file_stamp *stamp, struct arena *a,
                   struct err *e) {
    struct span path = span_of(name), id = span_of(hash ? hash : name);
    bool bin;

    if (record_id(id, &id, &bin, a, e) < 0 || record_new(r, id, bin, a, e) < 0 ||
        (!span_equal(id, path) && record_set_text(r, "path", path, e) < 0))
        return -1;
    if (!stamp->known)
        return 0;
    return record_set_int(r, "size", stamp->size, e) < 0 || record_set_float(r, "mtime", stamp->mtime, e) < 0 ? -1 : 0;
}

int record_set_member(struct record *r, const char *archive, const char *caption, struct err *e) {
    if (archive && *archive && record_set_text(r, "archive", span_of(archive), e) < 0)
        return -1;
    return caption && *caption ? record_set_text(r, "text", span_of(caption), e) : 0;
}

struct file_stamp record_stamp(const struct record *r) {
    struct file_stamp s = {0};

    s.known = record_int(r, "size", &s.size, NULL) > 0 && record_float(r, "mtime", &s.mtime, NULL) > 0;
    return s;
}

bool record_by_content(const struct record *r) {
    struct span path, id = r->id;

    if (id.n < HASH || (id.n > HASH && id.p[HASH] != '+') || record_str(r, "path", &path, NULL) <= 0)
        return false;
    id.n = HASH;
    for (size_t i = 0; i < HASH; i++)
        if (!memchr("0123456789abcdef", id.p[i], 16))
            return false;
    return !span_equal(id, path);    /* if equal, the file's name is 32 hex digits, and a text was drawn on the picture */
}

struct span record_name(const struct record *r) {
    struct span path;

    return record_by_content(r) && record_str(r, "path", &path, NULL) > 0 ? path : r->id;
}
