/* image.h - the types that the readers of picture files share with their callers: a picture, options, functions that
 * receive rows */
#ifndef UNCLIP_IMAGE_H
#define UNCLIP_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define IMAGE_MAX_PIXELS 178956970     /* Pillow refuses a picture of more pixels */
#define IMAGE_MAX_BYTES ((uint64_t)1 << 30)

struct image {
    unsigned char *rgb;      /* u8 [h, w, 3] */
    size_t w, h;
    const char *format;      /* "JPEG", "PNG", ... */
    int orientation;         /* the EXIF orientation that was found, 1 to 8; 1 if absent */
    char note[200];          /* says what the decoder repaired, or "" */
};

struct image_options {
    uint64_t max_pixels;     /* the limit; 0 means IMAGE_MAX_PIXELS */
    bool exif;               /* turn the picture as its EXIF orientation says */
    bool alpha;              /* hand out each pixel's alpha three times, in place of its colours */
};

/* Functions that receive a picture: the reader calls begin once, then row h times, from the top row on. */
struct image_rows {
    int (*begin)(void *of, size_t h, size_t w, struct err *e);    /* returns -1 to stop */
    void (*row)(void *of, const unsigned char *rgb);
    void *of;
};

#endif
