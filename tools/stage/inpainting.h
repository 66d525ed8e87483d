/* inpainting.h - the known pixels of a record's picture, which decode64 and upsample keep
 *
 * What     decode64 inpaints a record if --mask or --erase is given, or else if the record has the field `mask`.  The
 *          picture is that of --source, else the field `image`, else the file that path or id names.  If the mask is
 *          the record's field, the field `source` is tried before `image`.
 *          Picture and mask are cut to their central square, and the decoder gets both at its own size.  The squares
 *          are written into the record as `source` and `mask`, from which upsample takes the known pixels at its size.
 *          In `source`, unknown pixels have the colours of near known pixels, so erased pixels are not in the record.
 * Shapes   mask u8 [H, W]: 1 is known, 0 is to be painted.  A square whose side is more than INPAINTING_SIDE is reduced
 *          to this side.
 * Errors   The functions fail if the mask and the picture differ in size, if a box is outside the picture, if the record
 *          has no picture, or if an element of a mask is neither 0 nor 1.
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
    const char *source, *mask;      /* the files of --source and --mask, or NULL */
    bool exif;                      /* turn picture files as their EXIF orientation says */
    struct picture picture;         /* the picture in the file `source` */
    unsigned char *known;           /* [h, w] the mask in the file `mask` */
    size_t h, w;
    struct mask_box box[INPAINTING_BOXES];
    size_t boxes;
};

/* Reads the files that p->source and p->mask name, and the boxes of --erase: n texts "X,Y,WIDTH,HEIGHT".  The caller
 * has set the fields source, mask and exif, and cleared the rest of *p. */
int inpainting_open(struct inpainting *p, const char *const *erase, size_t n, struct arena *keep, struct err *e);

/* Returns whether this record is to be inpainted. */
bool inpainting_asked(const struct inpainting *p, const struct record *r);

/* Writes into the params map m the pairs of key and value that say how a record was inpainted. */
void inpainting_params(const struct inpainting *p, struct mp *m);

/* The known pixels of one picture. */
struct known {
    struct inpaint at;              /* the picture and its mask at the decoder's size */
    size_t side;                    /* side of the square that is written into the record */
    const unsigned char *mask;      /* [side, side] */
    const unsigned char *rgb;       /* [side, side, 3] */
    const float *planes;            /* [3, side, side], or NULL if the picture is made of bytes */
};

/* Sets *k to the known pixels of the record's picture.  `side` is the side of the pictures that the decoder makes.  The
 * caller calls inpainting_known only if inpainting_asked returns true. */
int inpainting_known(const struct inpainting *p, const struct record *r, size_t side, struct known *k, struct arena *a,
                     struct err *e);

/* Sets the fields `source` and `mask` of r, the record that is written. */
int inpainting_set(struct record *r, const struct known *k, struct err *e);

/* For an upsampler: sets *known to the fields `source` and `mask` of r, resized to the side `out`.  Returns 1.
 * Returns 0 if the record lacks one of the fields, or if `source` is not larger than the upsampler's input, whose side
 * is `in`.  Returns -1 for an error. */
int inpainting_larger(const struct record *r, size_t in, size_t out, struct inpaint *known, struct arena *a,
                      struct err *e);

#endif
