/* axis.h - resampling of one axis as a linear map, in floats, and its transpose
 *
 * What     A map from `in` to `out` pixels holds a few weights for each output.  axis_pair_run applies one map to the
 *          rows of a picture and one to its columns.  axis_pair_back applies the transposed maps: it turns
 *          the gradient by the output into that by the input.
 * Source   AXIS_TRIANGLE, AXIS_CUBIC: torch's antialiased interpolation, which is Pillow's without 8-bit rounding: the
 *          filter is widened by in / out if the picture shrinks, cut at the edges and renormalised.
 *          AXIS_CUTOUT: the `resample` of Crowson's VQGAN-CLIP (nerdyrodent/VQGAN-CLIP generate.py): if the axis
 *          shrinks, a Lanczos-2 low pass with reflected edges; then a bicubic filter with a = -0.75, whose first
 *          and last samples are the corners (align_corners), not antialiased, with edges clamped.
 * Shapes   The input is a window of [3, H, W] with row stride ldx and plane stride `plane`; the output is [3, y.out, x.out].
 * Memory   axis_bytes(in, out) bytes for each map, and y.in x.out floats of scratch.
 * Numbers  Weights in f64, rounded to f32; sums in f32.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_AXIS_H
#define UNCLIP_AXIS_H

#include <stddef.h>

enum axis_kind { AXIS_TRIANGLE, AXIS_CUBIC, AXIS_CUTOUT };    /* the cubic filter has a = -0.5 */

struct axis {
    size_t in, out, taps;      /* taps: weights stored for each output */
    size_t *lo;                /* [out] output i reads the inputs lo[i] to lo[i] + taps - 1 */
    float *weight;             /* [out, taps] */
};

/* Returns the bytes that the maps of any kind from at most `in` to `out` pixels need. */
size_t axis_bytes(size_t in, size_t out);

/* Makes the map from `in` pixels to outputs [first, first + out) of an axis of `full` pixels, in the memory m of
 * axis_bytes bytes.  For AXIS_CUTOUT, `full` must equal `out`. */
void axis_make(struct axis *a, enum axis_kind kind, size_t in, size_t full, size_t first, size_t out, void *m);

void axis_pair_run(const struct axis *y, const struct axis *x, const float *in, size_t plane, size_t ldx, float *out, float *scratch);

/* Adds the gradient by the window to d_in. */
void axis_pair_back(const struct axis *y, const struct axis *x, const float *d_out, float *d_in, size_t plane, size_t ldx,
                    float *scratch);

#endif
