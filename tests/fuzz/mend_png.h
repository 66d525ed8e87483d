/* mend_png.h - PNG files whose checksums are right, so that a fuzzer gets past them */
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

static void mend_png(uint8_t *p, size_t n) {
    for (size_t at = 8; at <= n && n - at >= 12;) {
        size_t len = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
        unsigned long crc;

        if (len > n - at - 12)
            return;
        crc = crc32(0, p + at + 4, (uInt)len + 4);
        for (int i = 0; i < 4; i++)
            p[at + 8 + len + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12 + len;
    }
}
