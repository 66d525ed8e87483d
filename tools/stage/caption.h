/* caption.h - a line of text about a record
 *
 * What     The values of some fields, separated by spaces.  Strings are written as they are, numbers with four significant digits,
 *          other values as JSON; the name "id" stands for the id.  Without a list of fields, the caption is
 *          the record's text, or the id where the record has no text.  An id that is a path is written without its
 *          directories and extension.  A field that the record does not have is left out.
 * Errors   -1 when memory is out.
 */
#ifndef UNCLIP_CAPTION_H
#define UNCLIP_CAPTION_H

#include "formats/record/record.h"
#include "lib/image/sheet.h"

/* Appends the caption of r to out.  `fields` holds the fields' names, separated by commas.  NULL selects the text or
 * the id; "none" writes nothing.  scratch and out must be in different regions. */
int caption_write(struct mp *out, const struct record *r, const char *fields, struct arena scratch, struct err *e);

/* Returns text as a C string in UTF-8, taken from a.  A run of spaces and control characters becomes one space, and
 * ill-formed UTF-8 becomes '?'.  Returns NULL when a is full. */
const char *caption_string(struct span text, struct arena *a);

/* Chooses the font of a sheet's captions, cell [s->n].  That is the font in `file`, or if `file` is NULL and a caption is
 * not ASCII, DejaVu Sans (typeface.h).  Returns -1 if there is no such font.  Then the built-in font remains, and
 * characters outside ASCII become '?' in copies of the captions, which are taken from a. */
int caption_font(struct sheet *s, struct sheet_cell *cell, const char *file, struct arena *a, struct err *e);

#endif
