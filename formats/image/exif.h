/* exif.h - read the orientation of a picture file, which says how the picture is to be turned
 *
 * What     The functions return the orientation, 1 to 8, that Pillow's ImageOps.exif_transpose uses.  It is the EXIF
 *          tag 274, as a number of any type, in a JPEG's APP1, a PNG's eXIf chunk or "Raw profile type exif" text, or a
 *          WebP's EXIF chunk.  If EXIF does not have the tag, the orientation is tiff:Orientation in the file's XMP.
 * Errors   The functions return 0 if the file does not have an orientation, and 1 if the value of the orientation means
 *          nothing, because a picture is not refused for its metadata.
 * Source   EXIF 3.0; TIFF 6.0; XMP specification part 3; Pillow 13 Image.getexif.
 * Memory   malloc takes at most EXIF_TEXT_MAX bytes, for a compressed text of a PNG.
 */
#ifndef UNCLIP_EXIF_H
#define UNCLIP_EXIF_H

#include <stddef.h>

enum { EXIF_TEXT_MAX = 1 << 20 };    /* Pillow refuses a text that is longer */

int exif_jpeg(const unsigned char *p, size_t n);
int exif_png(const unsigned char *p, size_t n);
int exif_webp(const unsigned char *p, size_t n);

/* Reads the orientation from a TIFF structure, which EXIF is in all file formats.  "Exif" NUL NUL may precede it. */
int exif_tiff(const unsigned char *p, size_t n);

/* Reads the orientation from an XMP packet: the first tiff:Orientation="N" or tiff:Orientation>N. */
int exif_xmp(const unsigned char *p, size_t n);

#endif
