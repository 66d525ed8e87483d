/* inpainting.h - what is known of a record's picture, for decode64 and upsample
 *
 * What     decode64 is asked to inpaint by --mask, by --erase, or by the field `mask` of a record, which counts if
 *          neither option is given.  The picture is --source, else the field `image`, else the file that path or id
 *          names.  With the record's own mask, the field `source` comes before `image`.
 *          Picture and mask are cut to their central square, and the decoder gets both at its own size.  The record
 *          gets the square as `source` and `mask`, from which upsample takes what is known at its size.  The unknown
 *          pixels of `source` hold colours from near them, so that what was erased is not in the record.
 * Shapes   mask u8 [H, W], 1 known, 0 to be painted.  A square of more than INPAINTING_SIDE is reduced to that.
 * Errors   A mask of another size than the picture, a box outside it, no picture, elements that are neither 0 nor 1.
 * Memory   The pictures of --source and --mask stay in `keep`.
 */
#ifndef UNCLIP_INPAINTING_H
#define UNCLIP_INPAINTING_H

#include "lib/diffusion/inpaint.h"
#include "lib/image/mask.h"
#include "tools/stage/picture.h"

enum {
    INPAINTING_SIDE = 1024,    /* the largest side of the fields source and mask that are written */
    INPAINTING_BOXES = 16
};

struct inpainting {
    const char *source, *mask;      /* names of files, or NULL */
    bool exif;                      /* turn the picture's file as its EXIF says */
    struct picture picture;         /* that of `source` */
    unsigned char *known;           /* of `mask`: [h, w] */
    size_t h, w;
    struct mask_box box[INPAINTING_BOXES];
    size_t boxes;
};

/* Reads the files that p->source and p->mask name, and the boxes of --erase, n texts "X,Y,WIDTH,HEIGHT".  The caller has
 * set source, mask and exif; the rest of *p is 0. */
int inpainting_open(struct inpainting *p, const char *const *erase, size_t n, struct arena *keep, struct err *e);

/* Returns whether this record is to be inpainted. */
bool inpainting_asked(const struct inpainting *p, const struct record *r);

/* Writes the pairs of key and value that name the options, for a record that is inpainted, into the params map m. */
void inpainting_params(const struct inpainting *p, struct mp *m);

/* What is known of one picture. */
struct known {
    struct inpaint at;              /* at the decoder's size */
    size_t side;                    /* of the square that the record gets */
    const unsigned char *mask;      /* [side, side] */
    const unsigned char *rgb;       /* [side, side, 3] */
    const float *planes;            /* [3, side, side], or NULL where the picture is made of bytes */
};

/* Gets what is known of the record's picture, at the decoder's side.  Call it if inpainting_asked. */
int inpainting_known(const struct inpainting *p, const struct record *r, size_t side, struct known *k, struct arena *a,
                     struct err *e);

/* Sets the fields `source` and `mask` of the result r. */
int inpainting_set(struct record *r, const struct known *k, struct err *e);

/* Gets what is known at the size `out` for an upsampler, from the fields `source` and `mask`.  Returns 1; 0 if the
 * record does not have both, or if source is not larger than the small picture, whose side is `in`; -1. */
int inpainting_larger(const struct record *r, size_t in, size_t out, struct inpaint *known, struct arena *a,
                      struct err *e);

#endif
