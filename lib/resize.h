/* resize.h - Pillow's resampling of 8-bit RGB, to the last bit
 *
 * What     Image.resize() of Pillow in mode RGB with its six filters, for a window of the
 *          result: the crop that follows costs nothing outside it.  Separable, horizontal
 *          first, the row between the passes rounded and clipped to 8 bits, weights in
 *          fixed point with 22 bits after the point, taps outside the picture dropped and
 *          the rest renormalised.  A pass whose size does not change is skipped.
 * Source   Pillow 9.4 src/libImaging/Resample.c (Geometry.c for nearest), read for what it
 *          computes; clip.md 5.4.  Pillow 12 and later swap the passes of pictures more than
 *          100 times as high as wide that shrink; this does not.
 * Shapes   in: u8 [H, W, 3], rows together; out: u8 [window h, window w, 3].
 * Layout   out must not overlap in.
 * Memory   One row of input at a time goes through both passes: besides the weights only
 *          a row and the sums of the output rows that it belongs to are held.
 * Errors   resize_plan fails when the arena is too small for the weights (a picture many
 *          millions of pixels long that becomes a few hundred); resize_run cannot fail.
 * Numbers  Integer sums modulo 2^32: every kernel gives the same bytes.
 * Threads  Re-entrant; a plan belongs to one thread (it holds scratch).
 */
#ifndef UNCLIP_RESIZE_H
#define UNCLIP_RESIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/prep.h"

/* One axis, in -> out, of which outputs [first, first + n) are wanted. */
struct resize_axis {
    size_t in, out, first, n;
    bool copy;            /* in == out: nothing to compute */
    size_t taps;          /* weights kept per output: a multiple of 4, zeros at the end */
    size_t *lo, *hi;      /* [n] input range of each output; both never decrease */
    int32_t *weight;      /* [n, taps] */
    int16_t *split;       /* the same as 12 low and the high bits, [n, taps / 4, 8]:
                             l0 l1 h0 h1 l2 l3 h2 h3; only where the row kernel reads it */
};

/* What the passes are made of; a kernel may read 16 bytes beyond the last tap. */
struct resize_kernel {
    void (*row)(const struct resize_axis *x, const unsigned char *in, unsigned char *out);
    void (*add)(int32_t *sum, const unsigned char *row, int32_t weight, size_t n);
    bool split;
};

extern const struct resize_kernel resize_kernel_c;
#ifdef __x86_64__
extern const struct resize_kernel resize_kernel_avx2;    /* resize_avx2.c */
#endif

/* The fastest that this CPU has. */
const struct resize_kernel *resize_kernel_best(void);

struct resize {
    struct resize_axis x, y;
    const struct resize_kernel *kernel;
    int32_t *sum;           /* [slots, 3 x.n]: output rows that are being added up */
    size_t slots;
    unsigned char *row;     /* [3 x.n]: a row after the horizontal pass */
    unsigned char *last;    /* the last input row, with room behind it */
};

struct resize_window {
    size_t y, x, h, w;      /* inside out_h x out_w, not empty */
};

/* All sizes >= 1. */
int resize_plan(struct resize *r, enum prep_filter f, size_t h, size_t w, size_t out_h,
                size_t out_w, const struct resize_window *win, const struct resize_kernel *k,
                struct arena *a, struct err *e);

/* Rows of out are `stride` bytes apart. */
void resize_run(const struct resize *r, const unsigned char *rgb, unsigned char *out,
                size_t stride);

#endif
