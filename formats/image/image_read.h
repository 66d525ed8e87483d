/* image_read.h - decode picture files to 8-bit RGB
 *
 * What     JPEG, PNG, GIF (first frame), WebP (first frame), HEIF and AVIF, TIFF (first picture), BMP, TGA, PSD (the
 *          flattened picture) and PNM are recognised by their content, never by their name.  Palettes are expanded, and
 *          grey is repeated.  Alpha is dropped, not composited: a transparent pixel shows its hidden colour.  With
 *          options.alpha the alpha of PNG, GIF and WebP files is handed out in place of the colours; a picture in another
 *          format counts as opaque.  A sample of 16 bits becomes its high byte.  Colour profiles and gamma are ignored.
 *          Pillow's Image.convert("RGB") gives equal pixels.
 * Source   JPEG by libjpeg-turbo with the accurate IDCT and smooth chroma, as Pillow decodes it: equal to the last bit
 *          (CMYK too).  PNG by libpng.  WebP by libwebp, HEIF and AVIF by libheif, TIFF by libtiff, if the build found these
 *          libraries.  GIF, BMP, TGA, PSD and PNM are decoded by code in this directory.  Each format is compared with
 *          Pillow 13 (tests/unit/image_read.c, tests/parity/pictures_parity.py).
 * Turning  The EXIF orientation is always read, and applied only if options.exif asks for it, because the reference
 *          ignores it.  HEIF's own rotation is a part of the picture and is always applied.
 *          The orientation of a TIFF is always applied too, because Pillow applies it when it loads the file.
 * Errors   A file that ends early is refused.  A file whose header announces more pixels than the
 *          limit is refused before anything is decoded.  PNG checksums are checked.
 *          JPEG data that libjpeg can repair is accepted, as in Pillow, and im->note says so.
 * Memory   Only the files that wrap decoders (image_*.c) call malloc.  The caller frees the pixels of a `struct image`
 *          with image_free.  Before a decoder takes memory for pixels, it checks that the file is long enough to hold
 *          them: a byte gives at most 1032 samples of PNG, 2731 pixels of GIF, 64 pixels of PSD and TGA, 8 blocks of
 *          JPEG.  In a TIFF, a byte gives at most 1 byte of samples uncompressed, 64 by PackBits, 1032 by Deflate and 4096
 *          by LZW or JPEG.  WebP, HEIF, AVIF and TIFF by other compressions can encode a large picture in a few bytes, so
 *          only the limit of pixels bounds their memory.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_IMAGE_READ_H
#define UNCLIP_IMAGE_READ_H

#include <sys/types.h>

#include "formats/image/image.h"

int image_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
               struct err *e);

/* Decodes like image_read, hands the rows to `rows` and leaves im->rgb NULL.  If the format allows it and the picture
 * is not turned, the whole picture is never in memory.  After an error some rows may have been handed out. */
int image_read_rows(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *rows, struct err *e);
void image_free(struct image *im);

/* Reads a whole regular file of at most IMAGE_MAX_BYTES into *p.  "-" is standard input.  A pipe that was open when the
 * program began ("-", /dev/fd/N) is read to its end.  Directories, other pipes and devices are refused, and the message
 * says what the file is.  The caller frees *p with image_file_free. */
int image_file_read(const char *name, unsigned char **p, size_t *n, struct err *e);
void image_file_free(unsigned char *p);

/* Returns whether a file with this name and mode is a pipe that the caller of the program has opened, which is standard input
 * or the pipe of a shell's <(command). */
bool image_file_is_pipe(const char *name, mode_t mode);

/* Returns a copy of the n bytes at p, or NULL if memory runs out.  The caller frees it with image_file_free. */
unsigned char *image_file_copy(const unsigned char *p, size_t n);

/* Reads a file with image_file_read and decodes it with image_read.  The caller frees the picture with image_free. */
int image_file_open(struct image *im, const char *name, const struct image_options *o, struct err *e);

/* Turns the picture as EXIF orientation 2 to 8 says.  Other orientations change nothing.  Returns 0, or
 * -1 if memory runs out. */
int image_turn(struct image *im, int orientation, struct err *e);

/* Returns whether `name` ends in .jpg, .jpeg, .png, .webp, .gif, .heic, .heif, .avif, .tif, .tiff, .bmp, .tga, .psd, .ppm, .pgm,
 * .pbm or .pnm, in upper or lower case. */
bool image_name(const char *name);

enum { IMAGE_FORMAT_BYTES = 256 };    /* so many bytes of a picture tell its format */

/* Returns the name of the format that image_read takes these bytes for ("JPEG", "PNG", ...), or NULL. */
const char *image_format(const unsigned char *p, size_t n);

/* Returns a message if these bytes begin a picture of a format that is known but not supported (JPEG XL, JPEG 2000), or
 * NULL. */
const char *image_unsupported(const unsigned char *p, size_t n);

#endif
