/* prep.h - from a picture of any size to the square that a tower sees
 *
 * What     Resize (Pillow's arithmetic to the last bit, resize.h), crop or pad, scale and
 *          normalise.  There are two steps, so that a picture can wait as bytes between them:
 *          prep_crop writes u8 [S, S, 3], and prep_planes turns this into f32 [3, S, S].
 * Source   torchvision Resize + CenterCrop + ToTensor + Normalize over Pillow
 *          (openai/CLIP @d05afc4 clip/clip.py:79), transformers' CLIPImageProcessor on its
 *          PIL backend, open_clip's squash and longest (transform.py, ResizeKeepRatio and
 *          CenterCropOrPad).  The field most is the longest_edge of transformers 5 (get_size_with_aspect_ratio).
 * Shapes   in: u8 [H, W, 3] RGB; out: u8 [S, S, 3], f32 [3, S, S].
 * Numbers  The bytes equal Pillow's.  The floats equal the reference's bit for bit: x / 255
 *          in f32 (torchvision), or x * rescale in double rounded to f32 (Hugging Face),
 *          then (x - mean) / std in f32.  Sides of an extremely long picture that round to
 *          0 under RESIZE_LONGEST become 1; the reference fails in this case.
 * Errors   prep_begin and prep_crop return -1 only if the arena is too small.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_PREP_H
#define UNCLIP_PREP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum prep_filter { FILTER_NEAREST, FILTER_LANCZOS, FILTER_BILINEAR, FILTER_BICUBIC, FILTER_BOX,
                   FILTER_HAMMING };    /* Pillow's numbers */
enum prep_resize { RESIZE_SHORTEST, RESIZE_SQUASH, RESIZE_LONGEST };
enum prep_crop { CROP_TORCHVISION, CROP_HF };    /* crop begins at (side - S) / 2, rounded half to even, or down */

struct prep {
    size_t size;                /* shorter side (SHORTEST), both sides or longer side after the resize; 0: no resize */
    size_t most;                /* SHORTEST: limit of the longer side, whatever the shorter becomes; 0: no limit */
    size_t crop;                /* S, the side of the square */
    enum prep_resize resize;
    enum prep_crop rule;
    enum prep_filter filter;
    unsigned char fill[3];      /* colour that pads a picture smaller than S */
    float mean[3], std[3];
    bool normalize;
    double rescale;             /* Hugging Face's rescale_factor; 0: torchvision's x / 255 */
};

/* Where the square is in the resized picture of h x w pixels, as prep_where computes it. */
struct prep_place {
    size_t h, w;                /* resized size */
    size_t cut_y, cut_x;        /* first row and column of the crop */
    size_t pad_y, pad_x;        /* where the crop begins in the square; 0 unless padded */
    size_t rows, cols;          /* size of the crop; S unless padded */
};

struct prep_place prep_where(const struct prep *p, size_t h, size_t w);

struct resize;

/* prep_crop resizes and crops a whole picture of h x w pixels, h and w >= 1, and writes the square into out, u8 [S, S,
 * 3].  prep_begin only starts this work: the caller then gives the rows to resize_row (resize.h), from the top, and
 * must not free the memory that was taken from the arena `a` before the last row. */
int prep_begin(const struct prep *p, size_t h, size_t w, unsigned char *out, struct resize *r,
               struct arena *a, struct err *e);
int prep_crop(const struct prep *p, const unsigned char *rgb, size_t h, size_t w,
              unsigned char *out, struct arena scratch, struct err *e);
void prep_planes(const struct prep *p, const unsigned char *crop, float *out);

/* Converts a network's picture, f32 [3, h, w] in [-1, 1], to bytes [h, w, 3]: 255 (x / 2 + 1 / 2), rounded half to even
 * and clamped. */
void prep_quantize(const float *planes, size_t h, size_t w, unsigned char *out);

/* Converts back, from bytes [h, w, 3] to f32 [3, h, w].  A byte v becomes v / 127.5 - 1, which prep_quantize turns into
 * v again. */
void prep_widen(const unsigned char *rgb, size_t h, size_t w, float *out);

#endif
