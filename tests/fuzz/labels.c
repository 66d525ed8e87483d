/* Labels in text and in streams, templates, and a cache that someone else wrote. */
#include "tools/stage/labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "formats/record/stream.h"
#include "lib/vector/similarity.h"

static char base[8 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_vectors(const struct labels *l) {
    for (size_t i = 0; i < l->n * l->d; i++)
        if (!(l->v[i] >= -1.0001f && l->v[i] <= 1.0001f))
            abort();
}

/* From a cache of these bytes: absent, refused, or whole; the file is never changed by reading. */
static void as_cache(const uint8_t *data, size_t size, struct labels l, struct arena a) {
    static const char key[] = "00000000000000000000000000000000";
    struct err e = {0};
    char path[64];
    FILE *f;
    int got;

    snprintf(path, sizeof path, "/tmp/fuzz-labels-%ld", (long)getpid());
    f = fopen(path, "wb");
    if (!f)
        return;
    fwrite(data, 1, size, f);
    fclose(f);
    got = labels_cache_read(&l, path, key, &a, &e);
    if (got == 1)
        check_vectors(&l);
    if ((got < 0) != (e.msg[0] != 0))
        abort();
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena_mem mem = {.base = base, .reserved = sizeof base};
    struct arena a = arena_open(&mem), b;
    struct span text = {data, size}, out;
    struct templates t;
    struct labels l;
    struct err e = {0};
    char key[LABELS_KEY];

    b = a;
    if (templates_parse(&t, (const char *)data, size, &b, &e) == 0)
        for (size_t i = 0; i < t.n; i++)
            if (template_fill(&t.v[i], span_bytes(data, size < 9 ? size : 9), &out, &b) == 0 &&
                out.n != t.v[i].before.n + t.v[i].after.n + (size < 9 ? size : 9))
                abort();
    e.msg[0] = 0;
    b = a;
    if (labels_parse(&l, text, &b, &e) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    if (!l.n || (l.v && !l.d))
        abort();
    if (l.v)
        check_vectors(&l);
    templates_open(&t, NULL, &b, &e);
    labels_key(key, "0123456789abcdef", &l, &t);
    as_cache(data, size, l, b);
    return 0;
}
