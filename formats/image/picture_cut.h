/* picture_cut.h - where the first of several pictures ends that stand one after another in a pipe
 *
 * What     JPEG, PNG, GIF, WebP, BMP, and raw PNM (P4 to P6) say where they end.  The other formats do not, and reach to the
 *          end of the pipe.  The picture is not decoded.
 * Use      The caller sets *c to zero, and calls picture_cut again with the same bytes and more until it returns not 0.
 * Errors   Damage is not an error here: a picture whose structure is broken reaches to the end of the pipe.
 * Work     Linear in the bytes, over all calls.
 */
#ifndef UNCLIP_PICTURE_CUT_H
#define UNCLIP_PICTURE_CUT_H

#include <stdbool.h>
#include <stddef.h>

struct picture_cut {
    size_t at;      /* what is before this byte was looked at */
    bool inside;    /* at is inside the coded data of a JPEG */
};

enum { PICTURE_CUT_MORE = 0, PICTURE_CUT_ALL = -1 };

/* Returns the length of the picture that begins at p.  Returns PICTURE_CUT_MORE if its end is not among the n bytes, or
 * PICTURE_CUT_ALL if the picture does not say where it ends. */
ptrdiff_t picture_cut(struct picture_cut *c, const unsigned char *p, size_t n);

#endif
