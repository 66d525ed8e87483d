/* record_image.h - the picture inside a record, unclip(5)'s field `image`, as bytes and back
 *
 * What     u8 [H, W, 3] is handed out where it is stored; f32 [3, H, W] in [-1, 1], as the networks
 *          make it (f16 too), is quantised into the arena (prep_quantize).
 * Errors   1 found, 0 absent, -1 of another type or shape, not finite, or more than
 *          IMAGE_MAX_PIXELS.
 */
#ifndef UNCLIP_RECORD_IMAGE_H
#define UNCLIP_RECORD_IMAGE_H

#include "formats/record/record.h"

struct record_image {
    const unsigned char *rgb;    /* u8 [h, w, 3] */
    size_t h, w;
};

int record_image(const struct record *r, const char *key, struct record_image *im, struct arena *a,
                 struct err *e);

/* The same as f32 [3, H, W] in [-1, 1] (u8: v / 127.5 - 1), in a. */
int record_picture(const struct record *r, const char *key, const float **x, size_t *h, size_t *w, struct arena *a,
                   struct err *e);

/* Set `image` to x [3, h, w] f32, or quantised to u8 [h, w, 3]. */
int record_set_picture(struct record *r, const float *x, size_t h, size_t w, bool u8, struct arena *a, struct err *e);

#endif
