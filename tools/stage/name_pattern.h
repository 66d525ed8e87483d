/* name_pattern.h - names of files, one for each record
 *
 * What     A pattern with directives:
 *              %d   the number of the file, from 1; %4d and %04d: at least so many digits
 *              %i   the id        %r   the root (the id where there is none)
 *              %b   the id's last component without its extension: photo for dir/photo.jpg
 *              %s   the numbers of the sample, parted by hyphens; 0 where there are none
 *              %%   a percent sign
 * Safety   What comes from a record never leaves the folder that the pattern names, nor hides, nor looks
 *          like an option: slashes, control characters and bytes that are not UTF-8 become "_", and so does
 *          a "." or "-" at its beginning; of more than NAME_PART bytes the first are kept (whole characters),
 *          and a hash of all.  Nothing at all becomes "_".
 * Errors   name_parse: an unknown directive.  name_make: memory.
 */
#ifndef UNCLIP_NAME_PATTERN_H
#define UNCLIP_NAME_PATTERN_H

#include "formats/record/record.h"

enum { NAME_PART = 120, NAME_WIDTH = 20 };    /* bytes of a part; digits that may be asked for */

/* Check a pattern: -1 with what is wrong in it.  *directives: how many it has, %% not counted. */
int name_parse(const char *pattern, size_t *directives, struct err *e);

/* The name of the record's file, number `number`, NUL-terminated, in a. */
const char *name_make(const char *pattern, const struct record *r, uint64_t number, struct arena *a, struct err *e);

/* The last component of an id without its extension: "photo" of "dir/photo.jpg". */
struct span name_base(struct span id);

/* Names that were given out, by their 64-bit hashes: another name shares one with probability 2^-64. */
struct name_set {
    uint64_t *slot;    /* [cap], 0 is empty */
    size_t n, cap;
};

/* 1: it is new and now in the set; 0: it was there; -1: no memory in a, where the set grows. */
int name_set_add(struct name_set *s, const char *name, struct arena *a);

#endif
