/* exif.h - how a picture file says that it is to be turned
 *
 * What     EXIF's orientation, 1 to 8, out of a file of each format that can hold it; exif_tiff reads the TIFF
 *          structure that all of them carry.  1 where there is none or it is broken: a picture is not refused
 *          for its metadata.
 */
#ifndef UNCLIP_EXIF_H
#define UNCLIP_EXIF_H

#include <stddef.h>

int exif_jpeg(const unsigned char *p, size_t n);
int exif_png(const unsigned char *p, size_t n);
int exif_webp(const unsigned char *p, size_t n);
int exif_tiff(const unsigned char *p, size_t n);

#endif
