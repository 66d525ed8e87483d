/* prep.h - from a picture of any size to the square that a tower sees
 *
 * What     Resize (Pillow's arithmetic to the last bit), crop, scale and normalise.
 * Source   torchvision Resize + CenterCrop over Pillow (openai/CLIP), or transformers'
 *          CLIPImageProcessor (slow, Pillow); open_clip's squash and longest.
 * Shapes   in: u8 [H, W, 3] RGB; out: u8 [S, S, 3] or f32 [3, S, S].
 */
#ifndef UNCLIP_PREP_H
#define UNCLIP_PREP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/arena.h"
#include "lib/err.h"

enum prep_filter { FILTER_NEAREST, FILTER_LANCZOS, FILTER_BILINEAR, FILTER_BICUBIC, FILTER_BOX,
                   FILTER_HAMMING };    /* Pillow's numbers */
enum prep_resize { RESIZE_SHORTEST, RESIZE_SQUASH, RESIZE_LONGEST };
enum prep_crop { CROP_TORCHVISION, CROP_HF };    /* (side - S) / 2: half to even, or floor */

struct prep {
    size_t size;                /* shorter side after resize (SHORTEST), or S */
    size_t crop;                /* S */
    enum prep_resize resize;
    enum prep_crop rule;
    enum prep_filter filter;
    unsigned char fill[3];      /* LONGEST pads with it */
    float mean[3], std[3];
    bool normalize;
};

/* The whole way to [3, S, S] f32; crop8, where not NULL, also receives u8 [S, S, 3]. */
int prep_image(const struct prep *p, const unsigned char *rgb, size_t h, size_t w, float *out,
               unsigned char *crop8, struct arena scratch, struct err *e);

#endif
