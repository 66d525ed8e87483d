/* resize.h - Pillow's resampling of 8-bit RGB, to the last bit
 *
 * What     Image.resize() of Pillow in mode RGB with its six filters, for a window of the
 *          result: the crop that follows costs nothing outside it.  Separable: along the rows
 *          and then down the columns, or the other way round where the height loses more than
 *          twice as many pixels as the width (as since Pillow 13).  The row between the passes
 *          is rounded and clipped to 8 bits, weights are in fixed point with 22 bits after the
 *          point, taps outside the picture are dropped and the rest is renormalised.  A pass
 *          whose size does not change is skipped.
 * Source   Pillow 13 src/libImaging/Resample.c (Geometry.c for nearest), read for what it
 *          computes; the order of the passes seen in the results of Pillow 13.0.0.
 * Shapes   in: u8 [H, W, 3], rows together; out: u8 [window h, window w, 3].
 * Layout   out must not overlap in.
 * Rows     resize_begin and resize_row take the picture from the top, a row at a time, so that
 *          a decoder need never hold all of it; resize_run does both for a picture in memory.
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

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/image/prep.h"

/* One axis, in -> out, of which outputs [first, first + n) are wanted. */
struct resize_axis {
    size_t in, out, first, n;
    bool copy;            /* in == out: nothing to compute */
    size_t taps;          /* weights kept per output: a multiple of the kernel's group, zeros at the end */
    size_t *lo, *hi;      /* [n] input range of each output; both never decrease */
    int32_t *weight;      /* [n, taps] */
    void *split;          /* the weights in smaller integers, as the kernel's `split` laid them out */
};

/* What the passes are made of; a kernel may read RESIZE_PAD bytes beyond the last tap. */
struct resize_kernel {
    const char *name;
    void (*row)(const struct resize_axis *x, const unsigned char *in, unsigned char *out);
    void (*add)(int32_t *sum, const unsigned char *row, int32_t weight, size_t n);
    void (*clip)(int32_t *sum, unsigned char *out, size_t n);    /* to bytes; sum starts anew */
    void (*split)(struct resize_axis *x);    /* NULL: `row` reads x->weight */
    size_t group;         /* taps that `row` takes at a time */
    size_t bytes;         /* of x->split for each tap */
};

enum { RESIZE_PAD = 64 };

/* Bits after the point of a weight; sums start at one half. */
enum { RESIZE_BITS = 32 - 8 - 2, RESIZE_HALF = 1 << (RESIZE_BITS - 1) };

extern const struct resize_kernel resize_kernel_c;
extern const struct resize_kernel resize_kernel_avx2;    /* resize_avx2.c */
extern const struct resize_kernel resize_kernel_vnni;    /* resize_vnni.c */

/* Those that this build and this CPU have, the slowest (C) first; NULL when i is too large. */
const struct resize_kernel *resize_kernel_at(size_t i);
const struct resize_kernel *resize_kernel_best(void);

struct resize {
    struct resize_axis x, y;
    const struct resize_kernel *kernel;
    bool down_first;        /* the vertical pass comes first */
    int32_t *sum;           /* [slots, cols]: output rows that are being added up */
    size_t slots, cols;     /* cols: 3 x.n, or what the horizontal pass needs of a row */
    size_t from;            /* where that begins, in bytes */
    unsigned char *row;     /* [3 x.n]: a row after the horizontal pass */
    unsigned char *in;      /* [3 x.in]: a row before it, with room behind it */
    unsigned char *out;     /* where the result goes, rows `stride` bytes apart */
    size_t stride;
    size_t at;              /* input rows seen */
    size_t begun, done;     /* output rows */
};

struct resize_window {
    size_t y, x, h, w;      /* inside out_h x out_w, not empty */
};

/* All sizes >= 1. */
int resize_plan(struct resize *r, enum prep_filter f, size_t h, size_t w, size_t out_h,
                size_t out_w, const struct resize_window *win, const struct resize_kernel *k,
                struct arena *a, struct err *e);

/* Rows of out are `stride` bytes apart. */
void resize_begin(struct resize *r, unsigned char *out, size_t stride);

/* The next row of the picture; out is complete after the last. */
void resize_row(struct resize *r, const unsigned char *rgb);

/* All of them. */
void resize_run(struct resize *r, const unsigned char *rgb, unsigned char *out, size_t stride);

#endif
