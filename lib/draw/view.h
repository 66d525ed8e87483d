/* view.h - what a tower sees of a canvas: a crop, a warped crop or the whole, resampled to the tower's square
 *
 * What     For fixed parameters a view is a linear map from a picture [3, H, W] to [3, S, S], plus white outside the
 *          picture (VIEW_DRAW).  view_run computes the view, and view_back the transpose of the linear map.
 *          view_planes clamps (cutouts) and normalises by the tower's mean and std.  view_planes_back turns the
 *          gradient with respect to the result of view_planes into that with respect to its input.
 *
 *          VIEW_DRAW    CLIPDraw's augmentation: a perspective with corners moved by up to a quarter of the side, white
 *                       outside, then a crop of 0.7 to 0.9 of the area and 3/4 to 4/3 in ratio.
 *          VIEW_CUTOUT  VQGAN-CLIP's first kind of view: a square of a random size between S and the shorter side,
 *                       clamped to [0, 1].
 *          VIEW_WHOLE   CLIP's own preprocessing, in floats.
 *          VIEW_POOLED  VQGAN-CLIP's newer view of the whole picture (pooled.h).  The pooling takes maxima, so the view
 *                       is linear only near the given picture.
 * Source   kvfrans/clipdraw (NeurIPS 2022, arXiv:2106.14843); torchvision 0.28 RandomPerspective, perspective on tensors,
 *          RandomResizedCrop with antialias; nerdyrodent/VQGAN-CLIP MakeCutoutsOrig; lib/image/prep.h for the whole.
 * EASY TO GET WRONG  torchvision multiplies the picture by the mask twice: with m the sum of the weights that fall inside,
 *          out = m sampled + (1 - m) fill, where `sampled` has the factor m already.  The perspective's coefficients
 *          are rounded to f32, and half a pixel enters the map although the corners are whole numbers.
 * Draws    From Philox (draws.h): a view is a function of the key and its number, on every machine.
 * Numbers  Within 1.1e-6 of torchvision in f64, gradients too (tests/unit/view.c).
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_VIEW_H
#define UNCLIP_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/draw/axis.h"
#include "lib/draw/draws.h"
#include "lib/image/prep.h"

enum view_kind { VIEW_DRAW, VIEW_CUTOUT, VIEW_WHOLE, VIEW_POOLED };

struct view {
    enum view_kind kind;
    size_t side;               /* S */
    size_t y, x, h, w;         /* the crop of the picture or, for VIEW_DRAW, of the warped picture */
    float warp[8];             /* VIEW_DRAW, VIEW_POOLED: coefficients a to h of the map from output to input */
    size_t full_y, full_x, cut_y, cut_x;    /* VIEW_WHOLE: the resized sides, and the first row and column of the crop */
    /* only for VIEW_POOLED: */
    float colour[3][4];        /* the matrix that a colour (r, g, b, 1) is multiplied by */
    size_t box[4];             /* the erased box: its first row and column, its numbers of rows and columns */
    float grain;               /* the standard deviation of the noise */
    struct noise_key noise;
};

/* Solves for the coefficients that map the corners `end` to the corners `start`, each [4][2], x before y. */
void view_perspective(int start[4][2], int end[4][2], float warp[8]);

/* Finds the four pixels of a picture of h x w pixels from which pixel (y, x) of the warped picture is interpolated, and
 * their weights.  The weight of a pixel outside the picture is 0.  Returns the sum of the weights. */
double view_corners(const struct view *v, size_t y, size_t x, size_t h, size_t w, size_t at[4], double weight[4]);

/* Draws a view of a picture of h x w pixels for a tower with the preprocessing p. */
void view_draw(struct view *v, enum view_kind kind, size_t h, size_t w, const struct prep *p, struct draws *d);

/* Returns the bytes of scratch for one view of a picture of h x w pixels at side S. */
size_t view_scratch(size_t h, size_t w, size_t side);

void view_run(const struct view *v, const float *picture, size_t h, size_t w, float *out, void *scratch);

/* Adds the gradient with respect to the picture to d_picture [3, h, w].  Only VIEW_POOLED reads the picture. */
void view_back(const struct view *v, const float *picture, const float *d_out, float *d_picture, size_t h, size_t w, void *scratch);

/* Writes what the tower gets: out [3, S, S] of raw.  view_planes_back turns d from the gradient by what the tower
 * gets into that by raw.  If a clamp is active, the gradient passes only if a step against it leads back into range. */
void view_planes(const struct view *v, const struct prep *p, const float *raw, float *out);
void view_planes_back(const struct view *v, const struct prep *p, const float *raw, float *d);

/* Turns d, the gradient by clamp(x, 0, 1), into the gradient by x. */
static inline float view_clamp_back(float d, float x) {
    float over = x < 0 ? x : x > 1 ? x - 1 : 0;

    return d * over >= 0 ? d : 0;
}

#endif
