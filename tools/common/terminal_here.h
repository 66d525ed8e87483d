/* terminal_here.h - the terminal on standard output, as one that draws pictures
 */
#ifndef UNCLIP_TERMINAL_HERE_H
#define UNCLIP_TERMINAL_HERE_H

#include "formats/image/terminal.h"

/* Returns the kind of terminal on standard output.  The program ends if it is not a terminal that is known to draw. */
enum terminal tool_terminal(void);

/* Replaces what is in out by the escape sequences that draw im on a terminal of this kind.  file: room for a PNG. */
int tool_draw(struct mp *out, enum terminal kind, const struct record_image *im, struct mp *file, struct arena a, struct err *e);

/* Draws the picture on standard output, and below it a line with the caption of r (caption.h).  Uses out and file, which
 * must be in different regions. */
int tool_show(enum terminal kind, const struct record *r, const struct record_image *im, const char *caption, struct mp *out,
              struct mp *file, struct arena a, struct err *e);

#endif
