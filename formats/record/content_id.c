#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "formats/record/record.h"

int record_content_id(const void *p, size_t n, struct span *id, struct arena *a, struct err *e) {
    XXH128_hash_t h = XXH3_128bits(p, n);
    char hex[33];

    snprintf(hex, sizeof hex, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
    *id = arena_span(a, span_of(hex));
    return id->p ? 0 : err_set(e, "no memory");
}

int record_of_file(struct record *r, const char *name, const char *hash, struct arena *a, struct err *e) {
    struct span path = span_of(name), id = span_of(hash ? hash : name);
    bool bin;

    if (record_id(id, &id, &bin, a, e) < 0 || record_new(r, id, bin, a, e) < 0)
        return -1;
    return span_equal(id, path) ? 0 : record_set_text(r, "path", path, e);
}
