/* image_stb.h - stb_image as the reader of a codec (image_stb.c) */
#ifndef UNCLIP_IMAGE_STB_H
#define UNCLIP_IMAGE_STB_H

#include "formats/image/image_codec.h"

int stb_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
             const struct image_rows *to, struct err *e);

#endif
