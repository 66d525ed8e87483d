/* name_pattern.h - makes the name of a file for each record
 *
 * What     A pattern with directives:
 *              %d   the number of the file, from 1; %4d and %04d fill it up to four places, with spaces or zeros
 *              %i   the id        %r   the root, else the id
 *              %b   the id's last component without its extension: photo for dir/photo.jpg
 *              %s   the numbers of the sample, separated by hyphens; 0 without a sample
 *              %%   a percent sign
 * Safety   Text from a record cannot lead out of the directory that the pattern names, hide the file, or look
 *          like an option.  Slashes, control characters and bytes that are not UTF-8 become "_", and so does
 *          a "." or "-" at the beginning.  A text of more than NAME_PART bytes is cut after a whole character,
 *          and a hash of all bytes is appended.  An empty text becomes "_".
 * Errors   name_parse fails if a directive is unknown, name_make if memory runs out.
 */
#ifndef UNCLIP_NAME_PATTERN_H
#define UNCLIP_NAME_PATTERN_H

#include "formats/record/record.h"

enum { NAME_PART = 120, NAME_WIDTH = 20 };    /* the most bytes of a directive's text; the greatest width of %d */

/* Checks a pattern.  *directives receives the number of directives, %% not counted.  Returns 0, or -1 if a directive is
 * unknown; the message in e names the directive. */
int name_parse(const char *pattern, size_t *directives, struct err *e);

/* Returns the file name for r, the record with the number `number`, as a C string in memory from the arena a.  Returns
 * NULL if memory runs out. */
const char *name_make(const char *pattern, const struct record *r, uint64_t number, struct arena *a, struct err *e);

/* Returns the last component of an id without its extension: "photo" of "dir/photo.jpg". */
struct span name_base(struct span id);

/* The set of the names that were made so far, kept as 64-bit hashes.  Two names have equal hashes with probability
 * 2^-64. */
struct name_set {
    uint64_t *slot;    /* [cap] a name's hash, or 0 if the slot is empty */
    size_t n, cap;
};

/* Adds a name to the set, which grows in the arena a.  Returns 1 if the name is new, 0 if it was in the set already,
 * and -1 if the arena is full. */
int name_set_add(struct name_set *s, const char *name, struct arena *a);

#endif
