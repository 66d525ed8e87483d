/* image_encode.h - the encoders that image_write.c calls; other files do not include this header */
#ifndef UNCLIP_IMAGE_ENCODE_H
#define UNCLIP_IMAGE_ENCODE_H

#include "formats/image/image_write.h"

int png_write(struct mp *out, const struct record_image *im, const struct image_about *about, struct arena scratch,
              struct err *e);
int jpeg_write(struct mp *out, const struct record_image *im, const struct image_about *about, struct err *e);

#endif
