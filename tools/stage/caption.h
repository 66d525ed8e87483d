/* caption.h - a line of text about a record
 *
 * What     A caption has the values of some fields, separated by spaces.  Strings are written as they are, numbers that
 *          are not integers with four significant digits, other values as JSON; the name "id" stands for the whole id.
 *          A field that the record does not have is left out.  Without a list of fields, the caption is the record's
 *          text, or the id if the record has no text.  This id, if it is a path, loses its directories and extension.
 * Errors   caption_write returns -1 if memory runs out.
 */
#ifndef UNCLIP_CAPTION_H
#define UNCLIP_CAPTION_H

#include "formats/record/record.h"
#include "lib/image/sheet.h"

/* Appends the caption of r to `out`.  `fields` holds the fields' names, separated by commas.  NULL selects the text or
 * the id; "none" writes nothing.  `scratch` and `out` must be in different regions. */
int caption_write(struct mp *out, const struct record *r, const char *fields, struct arena scratch, struct err *e);

/* Returns `text` as a C string in UTF-8, in memory from the arena a, or NULL if the arena is full.  A run of spaces and
 * control characters becomes one space, and ill-formed UTF-8 becomes '?'. */
const char *caption_string(struct span text, struct arena *a);

/* Chooses the font for the captions of a sheet, which are in cell [s->n].  It is the font in `file`.  If `file` is
 * NULL, it is DejaVu Sans (typeface.h) if a caption is not ASCII, else the built-in font.  Returns 0; if
 * the font lacks a character of a caption, e names the first one, which will be drawn as a box.  Returns -1 if
 * the font cannot be opened: then the built-in font remains, and the captions are replaced by copies, in memory from
 * the arena a, with '?' for each character outside ASCII. */
int caption_font(struct sheet *s, struct sheet_cell *cell, const char *file, struct arena *a, struct err *e);

#endif
