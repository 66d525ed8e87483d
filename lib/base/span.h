/* span.h - bytes that belong to somebody else
 *
 * What     A pointer and a length.  The bytes may hold NULs, are not followed by one, and live as long as
 *          the buffer that they are part of.
 */
#ifndef UNCLIP_SPAN_H
#define UNCLIP_SPAN_H

#include <stddef.h>
#include <string.h>

struct span {
    const unsigned char *p;
    size_t n;
};

/* The bytes of a C string without its NUL. */
static inline struct span span_of(const char *s) {
    return (struct span){(const unsigned char *)s, strlen(s)};
}

#endif
