/* svg.h - strokes as an SVG file
 *
 * What     The file has a white <rect>, then one <path> for each stroke in the order in which they are drawn, with
 *          round caps and joins.  The title and a description are written as <title> and <desc>.
 * Source   SVG 1.1; the strokes of lib/draw/stroke.h.
 * Units    Pixels of the canvas.  stroke-width is twice the radius.  Colours are percentages.
 * Numbers  Points, widths and alpha are written with nine digits, so that they read back as the same f32.  Colours are
 *          written with nine digits of their percentage, and read back within 1e-7.  A viewer covers the exact area of
 *          a pixel, while lib/draw has a ramp two pixels wide.  At half a pixel outside the edge of a straight stroke
 *          the two differ by 0.16 alpha.
 * Errors   No function fails.  out->full is set if memory runs out.
 */
#ifndef UNCLIP_SVG_H
#define UNCLIP_SVG_H

#include "formats/record/mp.h"
#include "lib/draw/stroke.h"

/* Appends the file to out.  title and about may be empty.  Control characters, and bytes
 * that are not UTF-8, become "?". */
void svg_write(struct mp *out, const struct strokes *s, size_t h, size_t w, struct span title, struct span about);

#endif
