/* font.h - ASCII in pixels, for captions
 *
 * What     Glyphs of 5 x 9 pixels in cells of FONT_W x FONT_H, enlarged by a whole number.
 * Errors   Other characters than printable ASCII are drawn as question marks.
 * Threads  No state.
 */
#ifndef UNCLIP_FONT_H
#define UNCLIP_FONT_H

#include <stddef.h>

enum { FONT_W = 6, FONT_H = 11 };

/* Draw n characters into u8 [h, w, 3] from (x, y) on, black; the text must fit. */
void font_draw(unsigned char *rgb, size_t w, size_t x, size_t y, size_t scale, const char *s, size_t n);

#endif
