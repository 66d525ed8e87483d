/* pooled.h - VQGAN-CLIP's newer view: the whole picture, pooled and randomly augmented
 *
 * What     Each view begins as (average pool + maximum pool) / 2 of the whole picture, S x S, with torch's adaptive bins.
 *          Then each of these four is applied with probability 0.7:
 *              an affine map           turned by up to 15 degrees, shifted by up to a tenth of the side, sheared by up to 5 degrees
 *              a perspective           corners moved inwards by up to 0.35 of the side
 *              a colour matrix         brightness, contrast and saturation by up to a tenth, hue by up to a tenth of the circle
 *              a box becomes black     0.1 to 0.4 of the area, aspect ratio 0.3 to 3.3; one box per iteration
 *          At last, normal noise with a standard deviation of 0 to 0.1 is added.
 * Source   nerdyrodent/VQGAN-CLIP generate.py (MakeCutouts, "latest": augmentations Af, Pe, Ji, Er; noise_fac 0.1), whose
 *          augmentations are kornia's.  Here the affine map and the perspective are composed and sampled once, and the
 *          colour jitter is a matrix.  So, apart from constants and noise, a view is a linear map of the pooled picture.
 * Draws    A view takes the first 22 random numbers of its sequence (draws.h).  The box takes the numbers 32 to 37 of the
 *          sequence of the first view of its iteration.
 * Numbers  Pooling and its gradient are within 1e-7 of torch in f64 (tests/unit/view.c).
 */
#ifndef UNCLIP_POOLED_H
#define UNCLIP_POOLED_H

#include "lib/draw/view.h"

void pooled_draw(struct view *v, struct draws *d);

/* Draws the erased box v->box.  d is the sequence of the first view of the iteration, from number POOLED_BOX on. */
enum { POOLED_BOX = 32 };
void pooled_box(struct view *v, struct draws *d);

/* In the two functions below, `small` is scratch of [3, S, S] floats. */
void pooled_run(const struct view *v, const float *picture, size_t h, size_t w, float *out, float *small);
void pooled_back(const struct view *v, const float *picture, const float *d_out, float *d_picture, size_t h, size_t w,
                 float *small);

/* pooled_pool does only the pooling: out is [3, S, S].  pooled_pool_back adds the gradient of the pooling to d_picture. */
void pooled_pool(const float *picture, size_t h, size_t w, size_t side, float *out);
void pooled_pool_back(const float *picture, const float *d_out, size_t h, size_t w, size_t side, float *d_picture);

#endif
