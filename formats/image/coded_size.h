/* coded_size.h - read the picture sizes out of HEVC and AV1 data, without decoding
 *
 * What     Finds how many pictures a decoder will make of the data, and how large they are.  The sizes come from the
 *          parameter sets; in AV1 a frame header may also announce a size of its own.
 * Errors   The functions return false if a parameter set cannot be read.
 * Source   ITU-T H.265 7.3; AV1 bitstream specification 5.5 and 5.9.
 */
#ifndef UNCLIP_CODED_SIZE_H
#define UNCLIP_CODED_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coded {
    uint64_t w, h;               /* size of the largest picture that the data allows; a decoder takes memory for it */
    uint64_t least_w, least_h;   /* the smallest width and height that a decoder may give out */
    uint64_t pictures;           /* how many pictures the data holds */
};

/* coded_hevc reads n bytes of NAL units, each after its length in 4 bytes.  coded_hevc_set reads one NAL unit of n
 * bytes and ignores the unit if it is not a sequence parameter set.  Both add what they find to *c. */
bool coded_hevc(struct coded *c, const unsigned char *p, size_t n);
bool coded_hevc_set(struct coded *c, const unsigned char *nal, size_t n);

/* Reads the OBUs of the configuration (av1C), then the n bytes of OBUs at p, and adds what they announce to *c. */
bool coded_av1(struct coded *c, const unsigned char *config, size_t config_n, const unsigned char *p, size_t n);

#endif
