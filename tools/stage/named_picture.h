/* named_picture.h - the picture that a record shows: its field `image`, or else the file that it names
 *
 * What     A record without `image` that came from a file names the file in `path`, else in its id.  The file is decoded and turned
 *          as its EXIF orientation says, as programs that show pictures do.
 * Errors   named_picture returns 1 where the picture was found, and 0 where the record has no `image` and names no file that exists.
 *          It returns -1 where the field or the file is broken.
 * Memory   The pixels come from the arena.
 */
#ifndef UNCLIP_NAMED_PICTURE_H
#define UNCLIP_NAMED_PICTURE_H

#include "formats/image/record_image.h"

/* longest: a file's picture is reduced until its longer side has at most this many pixels; 0: it is not reduced. */
int named_picture(const struct record *r, size_t longest, struct record_image *im, struct arena *a, struct err *e);

/* Returns the name of the record's file as a C string in a, or NULL if its path or id cannot be the name of a file. */
const char *named_file(const struct record *r, struct arena *a);

/* Reduces im as named_picture does. */
int picture_reduce(struct record_image *im, size_t longest, struct arena *a, struct err *e);

#endif
