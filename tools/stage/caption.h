/* caption.h - a line of text about a record
 *
 * What     The values of some fields, separated by spaces.  Strings are written as they are, numbers with four digits,
 *          other values as JSON; the name "id" stands for the id.  Without a list, the caption is the text, else the
 *          id.  If the id is a path, its directories and extension are left out.
 * Errors   An absent field is left out.  -1 when memory is out.
 */
#ifndef UNCLIP_CAPTION_H
#define UNCLIP_CAPTION_H

#include "formats/record/record.h"

/* Append the caption to out.  fields: names separated by commas; NULL for the default; "none" for no caption.  scratch
 * must be in another region than out. */
int caption_write(struct mp *out, const struct record *r, const char *fields, struct arena scratch, struct err *e);

/* A caption as printable ASCII.  Other characters become '?', and runs of spaces and control characters become one space.
 * NULL when a is full. */
const char *caption_ascii(struct span text, struct arena *a);

#endif
