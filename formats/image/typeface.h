/* typeface.h - text in pixels, in a scalable font, by FreeType
 *
 * What     Draws UTF-8 in grey levels.  Each letter begins where the advance width of the letter before it ends; this
 *          place may be between two pixels.  Hinting and kerning are off.  Text is not shaped or reordered, so scripts
 *          that join their letters or run from right to left come out wrong.
 * Units    A size is the height of a line in pixels, from the font's ascender to its descender.  A width in pixels grows
 *          in proportion to the size.
 * Errors   typeface_open fails if the build or the machine has no FreeType, or if it finds no font file.  Ill-formed
 *          UTF-8 is drawn as question marks.  A character that the font lacks is drawn as the font's glyph for missing
 *          characters.
 * Numbers  The levels are those of FreeType's smooth rasterizer.  Versions of FreeType may differ by a few levels.
 * Memory   FreeType's own, for the life of the program; it grows with the largest letter.
 * Threads  Any thread may draw at any time; a lock lets them draw one after another.
 */
#ifndef UNCLIP_TYPEFACE_H
#define UNCLIP_TYPEFACE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct typeface;

/* The part of a picture into which text is drawn.  Nothing outside of this part is written. */
struct typeface_area {
    unsigned char *level;        /* [h, w] pixels of `channels` equal bytes; 255 is paper and 0 is ink */
    size_t h, w, stride, channels;    /* stride: bytes from one row to the next */
};

/* Opens the font file `file`.  If `file` is NULL, opens DejaVu Sans in the place where Debian or Fedora keeps it.  On
 * failure, returns NULL with a message in e. */
const struct typeface *typeface_open(const char *file, struct err *e);

/* Returns the family and the style of the font, like "DejaVu Sans Book". */
const char *typeface_name(const struct typeface *f);

/* Returns whether the font has all characters of the n bytes at s, except line ends.  If not, e names the first
 * character that the font lacks, or says that s is not UTF-8. */
bool typeface_has(const struct typeface *f, const char *s, size_t n, struct err *e);

/* Returns the width of the n bytes at s in letters of size `line`. */
double typeface_width(const struct typeface *f, size_t line, const char *s, size_t n);

/* Draws the n bytes at s with the top left corner of the line at pixel (x, y) of the area. */
int typeface_draw(const struct typeface *f, size_t line, const struct typeface_area *to, double x, size_t y, const char *s,
                  size_t n, struct err *e);

#endif
