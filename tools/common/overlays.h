/* overlays.h - the options --overlay, --overlay-at, --overlay-font and --overlay-size
 *
 * What     For each --overlay, a program makes one picture of each file, with the option's text drawn on it
 *          (formats/image/overlay.h).
 */
#ifndef UNCLIP_OVERLAYS_H
#define UNCLIP_OVERLAYS_H

#include "formats/image/overlay.h"
#include "tools/common/tool.h"

struct overlays {
    struct strs text;
    const char *at, *font;
    double size;
    struct overlay v[TOOL_LIST];
    size_t n;                    /* at least 1: if --overlay is not given, there is one overlay whose text is empty */
};

/* The rows of a program's table of options for a struct overlays. */
#define OVERLAY_OPTIONS(o)                                                                                          \
    {0, "overlay", OPT_LIST, &(o).text, "TEXT", "draw TEXT on files before they are resized", 0, 0, NULL},          \
    {0, "overlay-at", OPT_STR, &(o).at, "X,Y", "the middle of the text, as fractions of the sides (0.5,0.5)", 0, 0, NULL}, \
    {0, "overlay-font", OPT_STR, &(o).font, "FILE", "a font file for the text (DejaVu Sans)", 0, 0, NULL},         \
    {0, "overlay-size", OPT_FLOAT, &(o).size, "X", "a line's height, as a fraction of the shorter side (0.2)", 0.001, 1, NULL}

/* Checks the options, opens the font if it is needed, and fills o->v and o->n. */
void tool_overlays(struct tool *t, struct overlays *o);

/* Returns the text from which the id of a picture with this overlay is made: `name`, followed by "+" and the overlay's
 * text unless that is empty. */
const char *overlay_name(const struct overlay *o, const char *name, struct arena *a);

#endif
