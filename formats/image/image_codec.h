/* image_codec.h - what image_read.c and the objects that wrap decoders share; not for others */
#ifndef UNCLIP_IMAGE_CODEC_H
#define UNCLIP_IMAGE_CODEC_H

#include "formats/image/image_read.h"

/* Check the announced size against the limit: sets w and h. */
int image_size(struct image *im, uint64_t w, uint64_t h, const struct image_options *o, struct err *e);

/* The same, then allocate the pixels: sets rgb. */
int image_alloc(struct image *im, uint64_t w, uint64_t h, const struct image_options *o,
                struct err *e);

/* Each decodes the whole of p into im by image_alloc; on -1 image_read frees what there is. */
int jpeg_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
              struct err *e);
int jpeg_read_rows(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                   const struct image_rows *rows, struct err *e);
int webp_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
              struct err *e);
int heif_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
              struct err *e);
int gif_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
             struct err *e);
int pnm_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
             struct err *e);
int stb_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
             struct err *e);

/* Walk the chunks: lengths, checksums, a last IEND. */
int png_check(const unsigned char *p, size_t n, struct err *e);

/* EXIF orientation, 1 to 8; 1 when there is none or it is broken (exif.c). */
int exif_orientation(const char *format, const unsigned char *p, size_t n);
int exif_tiff_orientation(const unsigned char *p, size_t n);

#endif
