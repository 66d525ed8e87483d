/* exif.h - how a picture file says that it is to be turned
 *
 * What     The orientation, 1 to 8, that Pillow's ImageOps.exif_transpose honours: the EXIF tag 274 as any kind of
 *          number, in a JPEG's APP1, a PNG's eXIf chunk or "Raw profile type exif" text, a WebP's EXIF chunk;
 *          and where EXIF does not have it, tiff:Orientation in the file's XMP.
 * Errors   0 where there is none, and 1 where the value means nothing: a picture is not refused for its metadata.
 * Source   EXIF 3.0; TIFF 6.0; XMP specification part 3; Pillow 13 Image.getexif.
 * Memory   malloc, at most EXIF_TEXT_MAX for a compressed text of a PNG.
 */
#ifndef UNCLIP_EXIF_H
#define UNCLIP_EXIF_H

#include <stddef.h>

enum { EXIF_TEXT_MAX = 1 << 20 };    /* where Pillow refuses a text */

int exif_jpeg(const unsigned char *p, size_t n);
int exif_png(const unsigned char *p, size_t n);
int exif_webp(const unsigned char *p, size_t n);

/* The TIFF structure that all of them carry; the words "Exif" NUL NUL may stand before it. */
int exif_tiff(const unsigned char *p, size_t n);

/* An XMP packet: the first tiff:Orientation="N" or tiff:Orientation>N. */
int exif_xmp(const unsigned char *p, size_t n);

#endif
