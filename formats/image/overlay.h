/* overlay.h - text that is drawn on a picture before anything else is done to it
 *
 * What     An overlay is a white label with black letters (typeface.h), as a handwritten note in a typographic attack:
 *          Goh et al. 2021, "Multimodal Neurons in Artificial Neural Networks", doi:10.23915/distill.00030; Ramesh et
 *          al. 2022, arXiv:2204.06125, section 6 and figure 16.
 * Layout   The text is broken at spaces and at its own line ends into lines that fit into the picture's shorter side,
 *          and its lines are centred.  If a word or the lines together do not fit, all letters become smaller.
 * Units    size is the height of a line, as a fraction of the picture's shorter side.  at_x and at_y are the place of
 *          the label's middle, as fractions of the picture's width and height.  The label is moved so that no part of
 *          it is cut off.
 * Errors   overlay_check fails if the text is not UTF-8, is too long, or has a character that the font lacks.
 *          overlay_begin fails if the text does not fit into the picture even in the smallest letters, or memory is
 *          exhausted.
 * Memory   A byte for each pixel of the label, and a row of the picture, from the arena.
 */
#ifndef UNCLIP_OVERLAY_H
#define UNCLIP_OVERLAY_H

#include "formats/image/typeface.h"
#include "lib/base/arena.h"

enum { OVERLAY_BYTES = 1000, OVERLAY_LINE = 4 };    /* the most bytes of a text; the fewest pixels of a line's height */

struct overlay {
    const char *text;          /* if "", nothing is drawn */
    double size, at_x, at_y;
    const struct typeface *font;
};

/* A label on a picture w pixels wide. */
struct overlay_label {
    size_t line;               /* height of a line in pixels */
    size_t y, x, h, w;         /* place and size of the label */
    unsigned char *level;      /* [h, w] grey levels */
    size_t width;              /* width of the picture */
    unsigned char *row;        /* [width, 3] */
};

int overlay_check(const struct overlay *o, struct err *e);

/* Draws the label for a picture of h x width pixels.  The memory that it takes from *a must stay until the last row. */
int overlay_begin(struct overlay_label *l, const struct overlay *o, size_t h, size_t width, struct arena *a, struct err *e);

/* Returns row y of the picture with the label on it: rgb itself, or a copy that the next call overwrites. */
const unsigned char *overlay_row(const struct overlay_label *l, size_t y, const unsigned char *rgb);

#endif
