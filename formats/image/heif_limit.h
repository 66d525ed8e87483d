/* heif_limit.h - refuse HEIF and AVIF files that decode to more pixels than the limit
 *
 * What     The box `ispe` says how large a picture is, and libheif believes it; its decoders then make pictures
 *          of the size that the HEVC or AV1 data says, which may be anything.  heif_limit follows the primary item
 *          as libheif does, through grids, overlays and alpha, and reads the size in each parameter set.
 * Errors   heif_limit returns -1 for a coded picture, a grid or an overlay of more pixels than the limit; for a coded
 *          picture of another size than its ispe; for more than 4 times the limit in all; and for boxes that do
 *          not fit into each other.  It also refuses files on which libheif 1.15.1 ends the program: an item made of
 *          itself or of an item that is not a picture, and a crop whose fractions overflow.  A file without a primary
 *          item passes, because libheif refuses it.
 * Source   ISO/IEC 14496-12 and 23008-12.
 * Memory   malloc takes less than twice the file's size, and all is freed before heif_limit returns.
 */
#ifndef UNCLIP_HEIF_LIMIT_H
#define UNCLIP_HEIF_LIMIT_H

#include "formats/image/image.h"

int heif_limit(const unsigned char *p, size_t n, const struct image_options *o, struct err *e);

#endif
