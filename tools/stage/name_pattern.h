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

enum { NAME_PART = 120, NAME_WIDTH = 20 };    /* bytes of a part; digits that may be asked for */

/* Check a pattern.  -1 with what is wrong in it.  *directives: how many it has, not counting %%. */
int name_parse(const char *pattern, size_t *directives, struct err *e);

/* The name of the file of the record, which has the number `number`.  A C string in a. */
const char *name_make(const char *pattern, const struct record *r, uint64_t number, struct arena *a, struct err *e);

/* The last component of an id without its extension: "photo" of "dir/photo.jpg". */
struct span name_base(struct span id);

/* The names that were given out, as 64-bit hashes.  Two names have one hash with probability 2^-64. */
struct name_set {
    uint64_t *slot;    /* [cap], 0 is empty */
    size_t n, cap;
};

/* 1: the name is new, and now in the set; 0: it was in the set; -1: a, in which the set grows, is full. */
int name_set_add(struct name_set *s, const char *name, struct arena *a);

#endif
