/* heif_limit.h - what decoding a HEIF or AVIF file will cost, found in the coded pictures themselves
 *
 * What     The box `ispe` says how large a picture is, and libheif believes it; its decoders then make pictures
 *          of the size that the HEVC or AV1 data says, which may be anything.  heif_limit follows the primary item
 *          as libheif does, through grids, overlays and alpha, and reads the size in each parameter set.
 * Errors   A coded picture, a grid or an overlay of more pixels than the limit, or of another size than its ispe; more
 *          than 4 times the limit in all; boxes that do not fit into each other.  So are files that end
 *          the program inside libheif 1.15.1: an item made of itself or of what is not a picture, and a
 *          crop whose fractions overflow.  A file without a primary item passes: libheif refuses it.
 * Source   ISO/IEC 14496-12 and 23008-12.
 * Memory   malloc: less than the file's size twice.
 */
#ifndef UNCLIP_HEIF_LIMIT_H
#define UNCLIP_HEIF_LIMIT_H

#include "formats/image/image.h"

int heif_limit(const unsigned char *p, size_t n, const struct image_options *o, struct err *e);

#endif
