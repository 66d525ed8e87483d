/* text_out.h - text that a program writes in larger pieces
 *
 * What     The text is gathered in the field `text`, which has its own region.  text_out_flush writes what was
 *          gathered.  The rest is written when the program ends, also if it ends by an error.
 */
#ifndef UNCLIP_TEXT_OUT_H
#define UNCLIP_TEXT_OUT_H

#include "formats/record/mp.h"
#include "tools/common/tool.h"

enum { TEXT_AHEAD = 64 << 10 };    /* a program calls text_out_flush when it has gathered more bytes than this */

struct text_out {
    struct tool *t;
    struct mp text;
};

void text_out_open(struct text_out *o, struct tool *t, struct arena *room);
void text_out_flush(struct text_out *o);

#endif
