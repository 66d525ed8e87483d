#include "lib/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/size.h"

#if defined __SANITIZE_ADDRESS__
#define ARENA_ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* Returns how many bytes of the region a block of n bytes takes together with its gap, or 0 if the sum overflows. */
static size_t extent(size_t n) {
    size_t s = round_up(n, ARENA_ALIGN) + ARENA_ALIGN;

    return s > n ? s : 0;
}

/* Commits those of the first `upto` bytes of the region that are not committed yet.  Returns 0, or -1 on failure. */
static int commit(struct arena_mem *m, size_t upto) {
    size_t want;

    if (upto > m->peak)
        m->peak = upto;
    if (upto <= m->committed)
        return 0;
    want = size_min(round_up(upto, ARENA_STEP), m->reserved);
    if (m->commit && m->commit(m->base + m->committed, want - m->committed) < 0)
        return -1;
    m->committed = want;
    return 0;
}

struct arena arena_open(struct arena_mem *m) {
    size_t skew = (size_t)(-(uintptr_t)m->base % ARENA_ALIGN);

    return (struct arena){m->base + size_min(skew, m->reserved), m->base + m->reserved, m};
}

void *arena_take(struct arena *a, size_t n, size_t size) {
    size_t bytes, room = (size_t)(a->end - a->at), all;
    char *p = a->at;

    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    all = extent(bytes);
    if (!all || all > room || commit(a->mem, (size_t)(p - a->mem->base) + all) < 0)
        return NULL;
    ASAN_POISON_MEMORY_REGION(p, all);
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
    a->at += all;
    return p;
}

void *arena_zero(struct arena *a, size_t n, size_t size) {
    void *p = arena_take(a, n, size);

    return p ? memset(p, 0, n * size) : NULL;
}

int arena_grow(struct arena *a, void *p, size_t old, size_t new) {
    struct arena b = *a;

    if (new <= old)
        return 0;
    b.at = p;
    if (b.at + extent(old) != a->at || !arena_take(&b, new, 1))
        return -1;
    *a = b;
    return 0;
}

char *arena_str(struct arena *a, const void *s, size_t n) {
    char *p = n + 1 ? arena_take(a, n + 1, 1) : NULL;

    if (!p)
        return NULL;
    if (n)
        memcpy(p, s, n);
    p[n] = 0;
    return p;
}

struct span arena_span(struct arena *a, struct span s) {
    return span_bytes(arena_str(a, s.p, s.n), s.n);
}

int arena_split(struct arena *a, size_t n, struct arena_mem *m, struct arena *part) {
    size_t all = extent(n), used = (size_t)(a->at - a->mem->base), cut;

    if (!all || all > SIZE_MAX - ARENA_STEP)
        return -1;
    all = round_up(all, ARENA_STEP);
    if (all > (size_t)(a->end - a->at))
        return -1;
    /* The part begins at a page, so that it shares no page with committed memory. */
    cut = (size_t)(a->end - a->mem->base) - all;
    cut -= (size_t)((uintptr_t)(a->mem->base + cut) % 4096);
    if (cut < used || cut < a->mem->committed)
        return -1;
    *m = (struct arena_mem){a->mem->base + cut, (size_t)(a->end - a->mem->base) - cut, 0, 0,
                            a->mem->commit, a->mem->files};
    a->end = a->mem->base + cut;
    a->mem->reserved = cut;
    *part = arena_open(m);
    return 0;
}

void arena_join(struct arena *a, struct arena_mem *m) {
    if (!m->base || a->end != m->base)
        return;
    arena_close(m);
    a->end += m->reserved;
    a->mem->reserved += m->reserved;
    *m = (struct arena_mem){.base = NULL};
}

void arena_close(struct arena_mem *m) {
    ASAN_UNPOISON_MEMORY_REGION(m->base, m->commit ? m->committed : m->reserved);
}

size_t arena_share(const struct arena *a, size_t parts, size_t most) {
    size_t n = (size_t)(a->end - a->at) / parts;

    return n < most ? n : most;
}
