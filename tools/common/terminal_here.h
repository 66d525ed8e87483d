/* terminal_here.h - the terminal on standard output, as one that draws pictures
 */
#ifndef UNCLIP_TERMINAL_HERE_H
#define UNCLIP_TERMINAL_HERE_H

#include "formats/image/terminal.h"

/* Returns the kind of the terminal on standard output.  The program ends if standard output is not a terminal that is
 * known to draw pictures. */
enum terminal tool_terminal(void);

/* Replaces the contents of `out` by the escape sequences that draw im on a terminal of this kind.  `file` is room for a
 * PNG. */
int tool_draw(struct mp *out, enum terminal kind, const struct record_image *im, struct mp *file, struct arena a, struct err *e);

/* Draws the picture on standard output, and below the picture a line with the caption of r (caption.h).  `out` and
 * `file` are room for this, in different regions. */
int tool_show(enum terminal kind, const struct record *r, const struct record_image *im, const char *caption, struct mp *out,
              struct mp *file, struct arena a, struct err *e);

#endif
