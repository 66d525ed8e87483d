/* record_image.h - get a picture out of a record, and put one in (unclip(5)'s field `image`)
 *
 * What     For u8 [H, W, 3] record_image returns the bytes where the record stores them.  It quantises f32 or f16
 *          [3, H, W] in [-1, 1], which the networks make, into the arena (prep_quantize).
 * Errors   record_image and record_picture return 1 if the picture was found, and 0 if the field is absent.  They
 *          return -1 if the field has another type or shape, is not finite, or has more than IMAGE_MAX_PIXELS.
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

/* Gets the picture as f32 [3, H, W] in [-1, 1], in the arena a.  A byte v becomes v / 127.5 - 1. */
int record_picture(const struct record *r, const char *key, const float **x, size_t *h, size_t *w, struct arena *a,
                   struct err *e);

/* Sets the field `image` of the record to the f32 tensor x [3, h, w], or, if `u8` is true, to x quantised to u8 [h, w,
 * 3]. */
int record_set_picture(struct record *r, const float *x, size_t h, size_t w, bool u8, struct arena *a, struct err *e);

#endif
