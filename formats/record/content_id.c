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
