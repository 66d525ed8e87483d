/* span.h - a stretch of bytes in somebody else's buffer
 *
 * What     A span is a pointer and a length.  The bytes may contain NULs and need not end with a NUL.  The span is
 *          valid as long as the buffer.
 */
#ifndef UNCLIP_SPAN_H
#define UNCLIP_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const unsigned char *p;
    size_t n;
};

/* Makes a span of the bytes of a string literal, without the NUL at its end. */
#define SPAN(literal) ((struct span){(const unsigned char *)("" literal), sizeof(literal) - 1})

/* Returns a span of the n bytes at p. */
static inline struct span span_bytes(const void *p, size_t n) {
    return (struct span){p, n};
}

/* Returns a span of the bytes of a C string, without its NUL. */
static inline struct span span_of(const char *s) {
    return span_bytes(s, strlen(s));
}

static inline bool span_equal(struct span a, struct span b) {
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

/* Compares the spans a and b byte by byte.  Returns a negative number if a comes before b, 0 if a equals b, and a
 * positive number if a comes after b. */
static inline int span_compare(struct span a, struct span b) {
    const int c = a.n && b.n ? memcmp(a.p, b.p, a.n < b.n ? a.n : b.n) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Returns true if s holds exactly the bytes of the C string `text`. */
static inline bool span_is(struct span s, const char *text) {
    return span_equal(s, span_of(text));
}

#endif
