/* winograd.h - 3x3 convolution by Winograd's F(2x2, 3x3): 16 products for 4 pixels instead of 36
 *
 * What     A tile Y of 2 x 2 output pixels is computed from the 4 x 4 input pixels d around the tile and
 *          the 3 x 3 weights g by
 *
 *              Y = A^T [ sum over channels of (G g G^T) . (B^T d B) ] A
 *
 *                    | 1  0 -1  0 |        | 1    0    0  |
 *              B^T = | 0  1  1  0 |   G  = | 1/2  1/2 1/2 |   A^T = | 1  1  1  0 |
 *                    | 0 -1  1  0 |        | 1/2 -1/2 1/2 |         | 0  1 -1 -1 |
 *                    | 0  1  0 -1 |        | 0    0    1  |
 *
 *          So a convolution is 16 matrix products over tiles, one for each place of the 4 x 4.  The weights
 *          are transformed at each run from the panels that conv.c packed.  This takes as much time as reading the
 *          weights three times, and at most 36 MiB of scratch, but no memory that stays in use.
 * Source   Lavin and Gray 2016, arXiv:1509.09308, section 4.1.
 * Shapes   As in conv.h, with stride 1 and padding 1.  Tiles begin at even rows and columns of the output.
 * Numbers  The transforms are in f32.  Their results are rounded to bf16 if the kernel takes bf16.  RMS error of a
 *          convolution of random numbers (tests/unit/conv.c), and in parentheses that of the plain sum: f32 2.6e-7
 *          (1.6e-7), bf16 weights 0.30 % (0.15 %), bf16 weights and rows 0.41 % (0.21 %).  No bit depends on n, on
 *          the threads, or on bands that begin at even rows.
 * Threads  Split over blocks of tiles.
 */
#ifndef UNCLIP_WINOGRAD_H
#define UNCLIP_WINOGRAD_H

#include "lib/layer/conv.h"

/* The input of a convolution: a batch of feature maps, or a band of one feature map. */
struct winograd_area {
    size_t n, y, x;    /* feature maps, rows, columns of the input */
    size_t pad_y;      /* rows of zeros above and below that the input does not hold: 1, or 0 in a band */
};

/* Returns true if this algorithm is possible for k on feature maps of x columns, and faster than the plain sum. */
bool winograd_fits(const struct conv *k, const struct compute *c, size_t x);

size_t winograd_scratch(const struct conv *k, const struct compute *c, const struct winograd_area *a);

/* Computes the convolution k over the area.  `again` says that scratch is unchanged since the last run of this
 * convolution, so the weights need not be transformed again. */
void winograd_run(const struct conv *k, const struct compute *c, const struct winograd_area *a, const float *in,
                  const struct kern_out *out, bool again, void *scratch);

#endif
