/* mask.h - which pixels of a picture are known, and which are to be painted
 *
 * What     Makes a mask from a painted picture, from a picture's alpha or from rectangles; fits a mask to another size;
 *          and finds the nearest known pixel for each pixel of a picture.
 * Shapes   mask u8 [H, W]: 1 known, 0 to be painted.  rgb u8 [n, 3].
 * EASY TO GET WRONG
 *          In a mask that a person paints as a picture, white means "to be painted", which is 0
 *          in the mask.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_MASK_H
#define UNCLIP_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 0 for each pixel whose grey, as Pillow's convert("L") computes it, is at least 128, and 1 for the others. */
void mask_of_white(const unsigned char *rgb, size_t n, unsigned char *mask);

/* Writes 0 for each pixel whose first channel, its alpha, is below 128, and 1 for the others.  Returns true if it wrote
 * a 0. */
bool mask_of_alpha(const unsigned char *alpha, size_t n, unsigned char *mask);

struct mask_box {
    size_t x, y, w, h;    /* in pixels, from the left and from the top */
};

/* Writes 0 for each pixel in the box.  The box may reach beyond the picture.  Returns false if the whole
 * box is outside the picture. */
bool mask_erase(unsigned char *mask, size_t h, size_t w, const struct mask_box *b);

/* Fits a square mask of side q to the side s: out [s, s].  A pixel of out is known if each pixel of the mask that it
 * covers, even in part, is known. */
void mask_fit(const unsigned char *mask, size_t q, size_t s, unsigned char *out);

/* Fills from [h, w]: for each pixel, the index of the nearest known pixel, or now and then of a known pixel that is
 * farther by a part of a pixel.  Returns false if no pixel is known; `from` is not valid then.  h * w must be below
 * 2^32 - 1. */
bool mask_nearest(const unsigned char *mask, size_t h, size_t w, uint32_t *from);

#endif
