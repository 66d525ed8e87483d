/* image.h - a picture in memory, and what its reader is told: the types that codecs and callers share */
#ifndef UNCLIP_IMAGE_H
#define UNCLIP_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define IMAGE_MAX_PIXELS 178956970     /* where Pillow refuses */
#define IMAGE_MAX_BYTES ((uint64_t)1 << 30)

struct image {
    unsigned char *rgb;      /* u8 [h, w, 3] */
    size_t w, h;
    const char *format;      /* "JPEG", "PNG", ... */
    int orientation;         /* EXIF's 1 to 8 as found; 1 when absent */
    char note[200];          /* "" or what the decoder repaired */
};

struct image_options {
    uint64_t max_pixels;     /* 0: IMAGE_MAX_PIXELS */
    bool exif;               /* turn the picture as its EXIF says */
};

/* Where the rows of a picture go, from the top: begin once, then row h times. */
struct image_rows {
    int (*begin)(void *of, size_t h, size_t w, struct err *e);    /* -1: no more is wanted */
    void (*row)(void *of, const unsigned char *rgb);
    void *of;
};

#endif
