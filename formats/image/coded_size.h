/* coded_size.h - the sizes that HEVC and AV1 data say themselves
 *
 * What     How large the pictures are that a decoder will make of the data, and how many: from the parameter
 *          sets, and from the frames that AV1 lets have a size of their own.
 * Errors   false where a parameter set cannot be read.
 * Source   ITU-T H.265 7.3; AV1 bitstream specification 5.5 and 5.9.
 */
#ifndef UNCLIP_CODED_SIZE_H
#define UNCLIP_CODED_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coded {
    uint64_t w, h;               /* of the largest picture that the data allows: what a decoder takes memory for */
    uint64_t least_w, least_h;   /* of the smallest that it may give out */
    uint64_t pictures;
};

/* NALs, each behind its length in 4 bytes; and one NAL. */
bool coded_hevc(struct coded *c, const unsigned char *p, size_t n);
bool coded_hevc_set(struct coded *c, const unsigned char *nal, size_t n);

/* OBUs; those of the configuration come first. */
bool coded_av1(struct coded *c, const unsigned char *config, size_t config_n, const unsigned char *p, size_t n);

#endif
