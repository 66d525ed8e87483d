/* image_codec.h - the interface between image_read.c and the decoder of one format of picture files
 *
 * What     A codec recognises its format by the first bytes and hands out the picture row by row.  A new
 *          format needs a file that defines a struct image_codec, and a line in image_codecs.c.
 * Errors   `read` returns -1 with a message for a file that is broken, ends early, or is larger than the limit.  `read`
 *          checks the size (image_size, image_begin) before it decodes or takes memory.
 */
#ifndef UNCLIP_IMAGE_CODEC_H
#define UNCLIP_IMAGE_CODEC_H

#include "formats/image/image.h"

struct image_codec {
    const char *name;                                      /* "JPEG", "PNG", ... */
    bool (*probe)(const unsigned char *p, size_t n);
    /* Decodes the whole file p: calls image_begin, then `to->row` for each row.  May set im->note. */
    int (*read)(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                const struct image_rows *to, struct err *e);
    int (*orientation)(const unsigned char *p, size_t n);  /* returns 1 to 8, or 0 if absent (exif.h); may be NULL */
    bool alpha;                                            /* `read` obeys o->alpha; if false, all is opaque */
};

/* All codecs, in the order in which they are probed.  NULL ends the array.  Defined in image_codecs.c. */
extern const struct image_codec *const image_codecs[];

extern const struct image_codec image_codec_jpeg, image_codec_png, image_codec_gif, image_codec_webp, image_codec_heif,
    image_codec_bmp, image_codec_psd, image_codec_pnm, image_codec_tiff, image_codec_tga;

/* Returns 0, or -1 if w x h pixels are more than o->max_pixels allows, or if w or h is 0. */
int image_size(uint64_t w, uint64_t h, const struct image_options *o, struct err *e);

/* Checks the size with image_size, sets im->w and im->h, and calls to->begin.  Returns -1 if one of these fails. */
int image_begin(struct image *im, uint64_t w, uint64_t h, const struct image_options *o, const struct image_rows *to,
                struct err *e);

/* Calls to->row for each row of a picture in memory, whose rows begin `stride` bytes apart. */
void image_give(const struct image *im, const unsigned char *rgb, size_t stride, const struct image_rows *to);

/* Returns one RGB sample of a CMYK pixel, as Pillow computes it: key - (255 - colour) key / 255, rounded.  colour and
 * key are 255 - ink.  Files hold these values, even if their metadata says that they hold the ink. */
static inline unsigned char image_cmyk(unsigned colour, unsigned key) {
    unsigned t = (255u - colour) * key + 128, m = ((t >> 8) + t) >> 8;

    return (unsigned char)(key > m ? key - m : 0);
}

/* Replaces n pixels [n, 4] by their alpha, three times for each pixel: [n, 3] at the beginning of rgba. */
void image_alpha(unsigned char *rgba, size_t n);

/* Returns true if the n bytes at p have the `len` bytes of `magic` at offset `at`. */
bool image_magic(const unsigned char *p, size_t n, size_t at, const char *magic, size_t len);
#define IMAGE_MAGIC(p, n, at, s) image_magic(p, n, at, s, sizeof(s) - 1)

#endif
