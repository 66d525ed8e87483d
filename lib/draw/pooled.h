/* pooled.h - VQGAN-CLIP's newer view: the whole picture pooled, turned, warped, tinted, partly erased, with noise
 *
 * What     Each view begins as (average pool + maximum pool) / 2 of the whole picture, S x S, with torch's adaptive bins.
 *          Then, each with a chance of 0.7:
 *              an affine map           turned by up to 15 degrees, shifted by up to a tenth of the side, sheared by up to 5 degrees
 *              a perspective           corners moved inwards by up to 0.35 of the side
 *              a colour matrix         brightness, contrast and saturation by up to a tenth, hue by up to a tenth of the circle
 *              a box becomes black     0.1 to 0.4 of the area, 0.3 to 3.3 in ratio; one box for all views of an iteration
 *          and at last normal noise with a standard deviation of 0 to 0.1.
 * Source   nerdyrodent/VQGAN-CLIP generate.py (MakeCutouts, "latest": augmentations Af, Pe, Ji, Er; noise_fac 0.1), whose
 *          augmentations are kornia's.  Affine map and perspective are one map here, which is sampled once, and the jitter is a
 *          matrix, so that a view is a linear map of the pooled picture.
 * Draws    A view takes 22 numbers of its sequence.  The box takes numbers 32 to 37 of the sequence of the first view of its
 *          iteration.
 * Numbers  Pooling is within 1e-7 of torch in f64, its gradient too (tests/unit/view.c).
 */
#ifndef UNCLIP_POOLED_H
#define UNCLIP_POOLED_H

#include "lib/draw/view.h"

void pooled_draw(struct view *v, struct draws *d);

/* Sets the box.  d is the sequence of the first view of the iteration, from number POOLED_BOX on. */
enum { POOLED_BOX = 32 };
void pooled_box(struct view *v, struct draws *d);

/* small is scratch for [3, S, S]. */
void pooled_run(const struct view *v, const float *picture, size_t h, size_t w, float *out, float *small);
void pooled_back(const struct view *v, const float *picture, const float *d_out, float *d_picture, size_t h, size_t w,
                 float *small);

/* The pooling alone: out [3, S, S]; pooled_pool_back adds the gradient to d_picture. */
void pooled_pool(const float *picture, size_t h, size_t w, size_t side, float *out);
void pooled_pool_back(const float *picture, const float *d_out, size_t h, size_t w, size_t side, float *d_picture);

#endif
