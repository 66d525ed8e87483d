/* The EXIF orientation: one SHORT in the first directory of a TIFF structure, which lies in a
 * JPEG's APP1 segment, a PNG's eXIf chunk or a WebP's EXIF chunk.  Whatever does not fit is
 * orientation 1: a picture is not refused for its metadata. */
#include "formats/image/exif.h"

#include <stdbool.h>
#include <string.h>

static unsigned get16(const unsigned char *p, bool big) {
    return big ? p[0] * 256u + p[1] : p[1] * 256u + p[0];
}

static size_t get32(const unsigned char *p, bool big) {
    return big ? (size_t)get16(p, big) << 16 | get16(p + 2, big)
               : (size_t)get16(p + 2, big) << 16 | get16(p, big);
}

int exif_tiff(const unsigned char *p, size_t n) {
    bool big = n >= 8 && p[0] == 'M';
    size_t at, entries;

    if (n < 8 || memcmp(p, big ? "MM\0*" : "II*\0", 4))
        return 1;
    at = get32(p + 4, big);
    if (at > n || n - at < 2)
        return 1;
    entries = get16(p + at, big);
    for (at += 2; entries-- && n - at >= 12; at += 12)
        if (get16(p + at, big) == 0x0112) {
            unsigned v = get16(p + at + 8, big);

            /* type SHORT, one of it */
            return get16(p + at + 2, big) == 3 && get32(p + at + 4, big) == 1 && v >= 1 && v <= 8
                ? (int)v : 1;
        }
    return 1;
}

int exif_jpeg(const unsigned char *p, size_t n) {
    for (size_t at = 2; at + 4 <= n && p[at] == 0xff;) {
        size_t len = get16(p + at + 2, true);

        if (p[at + 1] == 0xff) {    /* fill byte */
            at++;
            continue;
        }
        if (p[at + 1] == 0xda || len < 2 || len > n - at - 2)    /* the scan begins */
            return 1;
        if (p[at + 1] == 0xe1 && len >= 8 && !memcmp(p + at + 4, "Exif\0\0", 6))
            return exif_tiff(p + at + 10, len - 8);
        at += 2 + len;
    }
    return 1;
}

int exif_png(const unsigned char *p, size_t n) {
    for (size_t at = 8; at <= n && n - at >= 12;) {
        size_t len = get32(p + at, true);

        if (len > n - at - 12)
            return 1;
        if (!memcmp(p + at + 4, "eXIf", 4))
            return exif_tiff(p + at + 8, len);
        at += 12 + len;
    }
    return 1;
}

int exif_webp(const unsigned char *p, size_t n) {
    for (size_t at = 12; at <= n && n - at >= 8;) {
        size_t len = get32(p + at + 4, false);
        const unsigned char *q = p + at + 8;

        if (len > n - at - 8)
            return 1;
        if (!memcmp(p + at, "EXIF", 4)) {
            bool head = len >= 6 && !memcmp(q, "Exif\0\0", 6);    /* some writers keep it */
            return exif_tiff(q + (head ? 6 : 0), len - (head ? 6 : 0));
        }
        len += len & 1;
        if (len > n - at - 8)
            return 1;
        at += 8 + len;
    }
    return 1;
}
