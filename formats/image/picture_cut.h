/* picture_cut.h - find the end of the first picture in a pipe that holds several, one after another
 *
 * What     The data of JPEG, PNG, GIF, WebP, BMP and raw PNM (P4 to P6) tell where the picture ends.  A picture in another
 *          format is taken to reach to the end of the pipe.  The picture is not decoded.
 * Use      The caller sets *c to zero.  While picture_cut returns PICTURE_CUT_MORE, the caller calls it again with the same
 *          bytes and more bytes after them.
 * Errors   None.  A picture whose structure is broken is taken to reach to the end of the pipe.
 * Work     All calls for one picture together take time linear in its bytes.
 */
#ifndef UNCLIP_PICTURE_CUT_H
#define UNCLIP_PICTURE_CUT_H

#include <stdbool.h>
#include <stddef.h>

struct picture_cut {
    size_t at;      /* the bytes before this offset were examined */
    bool inside;    /* `at` is inside the entropy-coded data of a JPEG */
};

enum { PICTURE_CUT_MORE = 0, PICTURE_CUT_ALL = -1 };

/* Returns the length of the picture that begins at p.  Returns PICTURE_CUT_MORE if its end is not among the n bytes, or
 * PICTURE_CUT_ALL if the picture does not say where it ends. */
ptrdiff_t picture_cut(struct picture_cut *c, const unsigned char *p, size_t n);

#endif
