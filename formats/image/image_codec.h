/* image_codec.h - one format of picture files, as its decoder offers it to image_read.c
 *
 * What     A codec recognises its format by the first bytes and hands out the picture row by row.  A new
 *          format is a file with one such struct, and a line in image_codecs.c.
 * Errors   read returns -1 with a message for a file that is broken, ends early, or is larger than the limit.
 *          It checks the size (image_size, image_begin) before it decodes or takes memory.
 */
#ifndef UNCLIP_IMAGE_CODEC_H
#define UNCLIP_IMAGE_CODEC_H

#include "formats/image/image.h"

struct image_codec {
    const char *name;                                      /* "JPEG", "PNG", ... */
    bool (*probe)(const unsigned char *p, size_t n);
    /* Decode all of p: image_begin, then `to->row` for each row.  May set im->note. */
    int (*read)(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                const struct image_rows *to, struct err *e);
    int (*orientation)(const unsigned char *p, size_t n);  /* 1 to 8, 0: absent (exif.h); may be NULL */
};

/* All formats, in the order in which they are probed; NULL at the end (image_codecs.c). */
extern const struct image_codec *const image_codecs[];

extern const struct image_codec image_codec_jpeg, image_codec_png, image_codec_gif, image_codec_webp, image_codec_heif,
    image_codec_bmp, image_codec_psd, image_codec_pnm, image_codec_tga;

/* Check the announced size against the limit. */
int image_size(uint64_t w, uint64_t h, const struct image_options *o, struct err *e);

/* The same check, then im->w, im->h and to->begin. */
int image_begin(struct image *im, uint64_t w, uint64_t h, const struct image_options *o, const struct image_rows *to,
                struct err *e);

/* Hand out all rows of a picture in memory; they are `stride` bytes apart. */
void image_give(const struct image *im, const unsigned char *rgb, size_t stride, const struct image_rows *to);

/* A colour of Pillow's CMYK: files hold 255 - ink, whatever their markers say; R = K' - C K' / 255. */
static inline unsigned char image_cmyk(unsigned colour, unsigned key) {
    unsigned t = (255u - colour) * key + 128, m = ((t >> 8) + t) >> 8;

    return (unsigned char)(key > m ? key - m : 0);
}

/* Does p hold these bytes at `at`? */
bool image_magic(const unsigned char *p, size_t n, size_t at, const char *magic, size_t len);
#define IMAGE_MAGIC(p, n, at, s) image_magic(p, n, at, s, sizeof(s) - 1)

#endif
