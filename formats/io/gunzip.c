#include "formats/io/gunzip.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/size.h"

enum { FIRST = 1 << 16, WINDOW = 1 << 16 };    /* the buffer's first size; room for zlib's window, about 40 kB */

bool gunzip_is(struct span s) {
    return s.n >= 2 && !memcmp(s.p, "\x1f\x8b", 2);
}

static void *z_take(void *a, unsigned n, unsigned size) {
    return arena_zero(a, n, size);
}

static void z_free(void *a, void *p) {
    (void)a;
    (void)p;
}

/* Holds the bytes unpacked so far.  The buffer p grows at the end of an arena, to at most limit + 1 bytes. */
struct bytes {
    unsigned char *p;
    size_t n, room, limit;
};

static int more(struct bytes *b, struct arena *a, struct err *e) {
    size_t room = size_min(2 * b->room, b->limit + 1);

    if (b->n < b->room)
        return 0;
    if (b->n > b->limit)
        return err_set(e, "more than %zu MiB", b->limit >> 20);
    if (arena_grow(a, b->p, b->room, room) < 0)
        return err_set(e, "no memory");
    b->room = room;
    return 0;
}

static int unpack(z_stream *z, struct bytes *b, size_t most, struct arena *a, struct err *e) {
    int r;

    while (more(b, a, e) == 0) {
        z->next_out = b->p + b->n;
        z->avail_out = (uInt)(size_min(b->room, most) - b->n);
        r = inflate(z, Z_NO_FLUSH);
        b->n = (size_t)(z->next_out - b->p);
        if ((r == Z_STREAM_END && z->avail_in == 0) || b->n == most)
            return 0;
        if (r == Z_STREAM_END)
            r = inflateReset(z);
        if (r == Z_BUF_ERROR && z->avail_in == 0)
            return err_set(e, "gzip data is cut short");
        if (r != Z_OK && r != Z_BUF_ERROR)
            return err_set(e, "gzip data is damaged");
    }
    return -1;
}

int gunzip(struct span s, size_t most, size_t limit, struct span *out, struct arena *a, struct err *e) {
    struct arena_mem mem = {.base = arena_take(a, WINDOW, 1), .reserved = WINDOW};    /* the buffer grows behind the window */
    struct arena window;
    z_stream z = {.zalloc = z_take, .zfree = z_free, .opaque = &window};
    struct bytes b = {.p = arena_take(a, FIRST, 1), .room = FIRST, .limit = limit};

    if (s.n > limit)
        return err_set(e, "more than %zu MiB", limit >> 20);
    if (!mem.base || !b.p)
        return err_set(e, "no memory");
    window = arena_open(&mem);
    z.next_in = (Bytef *)(uintptr_t)s.p;
    z.avail_in = (uInt)s.n;
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return err_set(e, "no memory");
    if (unpack(&z, &b, most, a, e) < 0)
        return -1;
    *out = span_bytes(b.p, b.n);
    return 0;
}
