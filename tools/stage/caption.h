/* caption.h - a line of text about a record
 *
 * What     The values of some fields, parted by spaces: strings as they are, numbers with four digits, the
 *          rest as JSON; "id" is the id.  Without a list: the text, else the id, of which a path's folders
 *          and extension are left out.
 * Errors   A field that is not there is left out.  -1: memory.
 */
#ifndef UNCLIP_CAPTION_H
#define UNCLIP_CAPTION_H

#include "formats/record/record.h"

/* fields: names parted by commas; NULL: the default; "none": nothing.  Appended to out; scratch must lie in
 * another region. */
int caption_write(struct mp *out, const struct record *r, const char *fields, struct arena scratch, struct err *e);

/* The same as printable ASCII: what is none becomes '?', controls and runs of spaces one space.  NULL when a is full. */
const char *caption_ascii(struct span text, struct arena *a);

#endif
