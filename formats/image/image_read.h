/* image_read.h - picture files to 8-bit RGB
 *
 * What     JPEG, PNG, GIF (first frame), WebP (first frame), HEIF and AVIF, BMP, TGA, PSD (the
 *          flattened picture) and PNM, told apart by their content, never by their name.
 *          Palettes are expanded, grey is repeated, alpha is dropped (not composited: what
 *          is transparent shows its hidden colour), 16 bits become the high byte, colour
 *          profiles and gamma are ignored: what Pillow's Image.convert("RGB") gives.
 * Source   JPEG by libjpeg-turbo with the accurate IDCT and smooth chroma, as Pillow
 *          decodes it: equal to the last bit (CMYK too).  PNG by libpng.  WebP by libwebp, HEIF
 *          and AVIF by libheif, where they were there at build time.  GIF, BMP, TGA, PSD and
 *          PNM here.  Each is compared with Pillow 13 (tests/unit/image_read.c,
 *          tests/parity/pictures_parity.py).
 * Turning  The EXIF orientation is read always and applied only where asked, because the
 *          reference ignores it (HEIF's own rotation is part of the picture: applied).
 * Errors   A file that ends early is refused whole; so is one whose header announces more
 *          pixels than the limit, before anything is decoded; PNG checksums are checked.
 *          JPEG data that libjpeg can repair is accepted, as Pillow does, with a note.
 * Memory   malloc, in the objects that wrap decoders (image_*.c) and nowhere else: pixels of
 *          `struct image` belong to the caller until image_free.  Before a decoder takes memory
 *          for pixels, the file is long enough to hold them: a byte gives at most 1032 samples of
 *          PNG, 2731 pixels of GIF, 64 of PSD and TGA, 8 blocks of JPEG.  WebP, HEIF and AVIF can
 *          say a large picture in a few bytes: there the limit of pixels is all that bounds them.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_IMAGE_READ_H
#define UNCLIP_IMAGE_READ_H

#include "formats/image/image.h"

int image_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
               struct err *e);

/* As image_read, but the rows go to `rows`, and im->rgb stays NULL.  Where the format allows it and the picture is not
 * turned, no whole picture is ever in memory.  After an error some rows may have been given out. */
int image_read_rows(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *rows, struct err *e);
void image_free(struct image *im);

/* A whole regular file of at most IMAGE_MAX_BYTES; directories, pipes and devices are refused, and the
 * message says what the file is.  The caller frees *p with image_file_free. */
int image_file_read(const char *name, unsigned char **p, size_t *n, struct err *e);
void image_file_free(unsigned char *p);

/* The picture in such a file, which image_free gives back. */
int image_file_open(struct image *im, const char *name, const struct image_options *o, struct err *e);

/* Turn as EXIF orientation 2..8 says; others change nothing. */
int image_turn(struct image *im, int orientation, struct err *e);

/* The format of these bytes as image_read sees it, or NULL. */
const char *image_format(const unsigned char *p, size_t n);

#endif
