/* font.h - ASCII in pixels, for captions
 *
 * What     Glyphs of 5 x 9 pixels in cells of FONT_W x FONT_H pixels, enlarged by a whole number (scale).
 * Errors   Characters that are not printable ASCII are drawn as question marks.
 * Threads  No state.
 */
#ifndef UNCLIP_FONT_H
#define UNCLIP_FONT_H

#include <stddef.h>

enum { FONT_W = 6, FONT_H = 11 };

/* Draws the n characters of s in black into the picture rgb, u8 [h, w, 3], with the top left corner of the first
 * character at (x, y).  A pixel of a glyph becomes scale x scale pixels.  The text must fit into the picture. */
void font_draw(unsigned char *rgb, size_t w, size_t x, size_t y, size_t scale, const char *s, size_t n);

#endif
