/* terminal.h - write pictures as escape sequences that terminals draw
 *
 * What     terminal_kitty writes the graphics protocol of kitty, WezTerm, Ghostty and Konsole: a PNG file
 *          in base64, in chunks of 4096 characters.  The terminal is asked not to answer.
 *          terminal_sixel writes DEC's sixel, for foot, mlterm, xterm -ti vt340 and others: bands of six rows, in a
 *          palette of 6 x 6 x 6 colours, dithered by Floyd and Steinberg's diffusion.
 * Source   sw.kovidgoyal.net/kitty/graphics-protocol; DEC's VT330/VT340 Programmer Reference, chapter 14;
 *          Floyd and Steinberg 1976.
 * Memory   terminal_sixel takes 10 bytes for each pixel of six rows; terminal_kitty takes only its output.
 */
#ifndef UNCLIP_TERMINAL_H
#define UNCLIP_TERMINAL_H

#include "formats/image/record_image.h"

enum terminal { TERMINAL_UNKNOWN, TERMINAL_KITTY, TERMINAL_SIXEL };

/* Returns the kind of terminal that the values of environment variables point to.  Each value may be NULL. */
enum terminal terminal_of(const char *term, const char *program, const char *kitty_window, const char *konsole);

int terminal_kitty(struct mp *out, struct span png);
int terminal_sixel(struct mp *out, const struct record_image *im, struct arena scratch, struct err *e);

#endif
