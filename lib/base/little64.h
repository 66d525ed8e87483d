/* little64.h - writes and reads 64 bits as eight bytes in little-endian order, as in our files and fingerprints
 */
#ifndef UNCLIP_LITTLE64_H
#define UNCLIP_LITTLE64_H

#include <stdint.h>

static inline void little64_put(unsigned char *p, uint64_t v) {
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static inline uint64_t little64_get(const unsigned char *p) {
    uint64_t v = 0;

    for (int i = 8; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

#endif
