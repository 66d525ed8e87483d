/* bytes.h - read integers of 16, 24 and 32 bits from bytes, in little-endian or big-endian order */
#ifndef UNCLIP_BYTES_H
#define UNCLIP_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t little16(const unsigned char *p) {
    return p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t little24(const unsigned char *p) {
    return little16(p) | (uint32_t)p[2] << 16;
}

static inline uint32_t little32(const unsigned char *p) {
    return little16(p) | little16(p + 2) << 16;
}

static inline uint32_t big16(const unsigned char *p) {
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t big32(const unsigned char *p) {
    return big16(p) << 16 | big16(p + 2);
}

#endif
