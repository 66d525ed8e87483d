/* name_pattern.h - names of files, one for each record
 *
 * What     A pattern with directives:
 *              %d   the number of the file, from 1; %4d and %04d have at least four digits
 *              %i   the id        %r   the root, else the id
 *              %b   the id's last component without its extension: photo for dir/photo.jpg
 *              %s   the numbers of the sample, separated by hyphens; 0 without a sample
 *              %%   a percent sign
 * Safety   Text from a record cannot lead out of the directory that the pattern names, hide the file, or look
 *          like an option.  Slashes, control characters and bytes that are not UTF-8 become "_", and so does
 *          a "." or "-" at the beginning.  Of a text of more than NAME_PART bytes, the first whole characters
 *          are kept, and a hash of all bytes.  An empty text becomes "_".
 * Errors   name_parse: an unknown directive.  name_make: memory.
 */
#ifndef UNCLIP_NAME_PATTERN_H
#define UNCLIP_NAME_PATTERN_H

#include "formats/record/record.h"

enum { NAME_PART = 120, NAME_WIDTH = 20 };    /* bytes of a directive's text; greatest width of %d */

/* Checks a pattern.  Returns -1 where a directive is unknown; e names it.  *directives receives the number of
 * directives, %% not counted. */
int name_parse(const char *pattern, size_t *directives, struct err *e);

/* Returns the file name for r, the record with the number `number`, as a C string taken from a; NULL without memory. */
const char *name_make(const char *pattern, const struct record *r, uint64_t number, struct arena *a, struct err *e);

/* Returns the last component of an id without its extension: "photo" of "dir/photo.jpg". */
struct span name_base(struct span id);

/* A set of names that were given out, kept as 64-bit hashes.  Two names have equal hashes with probability 2^-64. */
struct name_set {
    uint64_t *slot;    /* [cap], 0 where a slot is empty */
    size_t n, cap;
};

/* Adds a name to the set.  Returns 1 if the name is new; 0 if it was in the set already; -1 if a, in which the set
 * grows, is full. */
int name_set_add(struct name_set *s, const char *name, struct arena *a);

#endif
