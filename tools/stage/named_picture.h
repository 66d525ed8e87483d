/* named_picture.h - the picture that a record shows: its field `image`, or else the file that it names
 *
 * What     A record without `image` can name a file in the field `path`, or else in its id.  The file is decoded and
 *          turned as its EXIF orientation says, as programs that show pictures do.  The name in a record with the field
 *          `archive` is that of a member of this archive, so no file is opened by it.
 * Errors   named_picture returns 1 if the picture was found, and 0 if the record has no `image` and names no file that
 *          exists.  It returns -1 if the field or the file is broken, or if the picture is in an archive.
 * Memory   The pixels are in memory from the arena.
 */
#ifndef UNCLIP_NAMED_PICTURE_H
#define UNCLIP_NAMED_PICTURE_H

#include "formats/image/record_image.h"

/* Sets *im to the record's picture.  The picture of a file is reduced if its longer side has more than `longest`
 * pixels; if `longest` is 0, it is not reduced. */
int named_picture(const struct record *r, size_t longest, struct record_image *im, struct arena *a, struct err *e);

extern const char named_in_archive[];    /* the message for a record whose picture is in an archive */

/* Returns the name of the record's file as a C string in memory from the arena a, or NULL if the record's path, or else
 * its id, cannot be the name of a file or is the name of a member of an archive. */
const char *named_file(const struct record *r, struct arena *a);

/* Scales *im, bicubically, so that its longer side has `side` pixels, or does nothing if `side` is 0. */
int picture_scale(struct record_image *im, size_t side, struct arena *a, struct err *e);

/* Reduces *im to at most `longest` pixels on the longer side, or does nothing if `longest` is 0. */
int picture_reduce(struct record_image *im, size_t longest, struct arena *a, struct err *e);

#endif
