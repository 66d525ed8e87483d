/* resize.h - Pillow's resampling of 8-bit RGB, to the last bit
 *
 * What     Image.resize() of Pillow in mode RGB with its six filters, for a window of the result: if a
 *          crop follows, the pixels outside the window are not computed.  One pass goes along the rows
 *          and then one down the columns, or the other way round if the height loses more than twice
 *          as many pixels as the width (as since Pillow 13).  The row between the passes is rounded
 *          and clipped to 8 bits, weights are in fixed point with 22 bits after the point, taps
 *          outside the picture are dropped and the rest is renormalised.  A pass whose size does not
 *          change is skipped.
 * Source   Pillow 13 src/libImaging/Resample.c (Geometry.c for nearest), read to learn what it
 *          computes; the order of the passes was seen in the results of Pillow 13.0.0.
 * Shapes   in: u8 [H, W, 3], rows without gaps; out: u8 [window h, window w, 3].
 * Layout   `out` must not overlap `in`.
 * Rows     resize_begin and resize_row take the picture from the top, a row at a time, so that
 *          a decoder need never hold all of it; resize_run does both for a picture in memory.
 * Memory   One row of input at a time goes through both passes: apart from the weights, only
 *          this row and the sums of the output rows to which it belongs are held in memory.
 * Errors   resize_plan fails when the arena is too small for the weights (a picture many
 *          millions of pixels long that becomes a few hundred); resize_run cannot fail.
 * Numbers  Sums are integers modulo 2^32, so every kernel gives the same bytes.
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

/* The resize of one axis from `in` to `out` pixels, of which only the outputs [first, first + n) are computed. */
struct resize_axis {
    size_t in, out, first, n;
    bool copy;            /* in equals out, so the pass along this axis is skipped */
    size_t taps;          /* weights stored for each output: a multiple of the kernel's group, zeros at the end */
    size_t *lo, *hi;      /* [n] input range [lo, hi) of each output; lo and hi never decrease */
    int32_t *weight;      /* [n, taps] */
    void *split;          /* the weights in smaller integers, as the kernel's `split` laid them out */
};

/* The functions of the two passes: row does the horizontal pass of a row, add and clip do the vertical pass.  A kernel
 * may read RESIZE_PAD bytes beyond the last tap. */
struct resize_kernel {
    const char *name;
    void (*row)(const struct resize_axis *x, const unsigned char *in, unsigned char *out);
    void (*add)(int32_t *sum, const unsigned char *row, int32_t weight, size_t n);
    void (*clip)(int32_t *sum, unsigned char *out, size_t n);    /* writes the sums as bytes and resets them */
    void (*split)(struct resize_axis *x);    /* fills x->split; NULL if `row` reads x->weight */
    size_t group;         /* taps that `row` takes at a time */
    size_t bytes;         /* bytes of x->split for each tap */
};

enum { RESIZE_PAD = 64 };

/* RESIZE_BITS: bits of a weight after the point.  RESIZE_HALF: one half, at which every sum starts, for rounding. */
enum { RESIZE_BITS = 32 - 8 - 2, RESIZE_HALF = 1 << (RESIZE_BITS - 1) };

extern const struct resize_kernel resize_kernel_c;
extern const struct resize_kernel resize_kernel_avx2;    /* resize_avx2.c */
extern const struct resize_kernel resize_kernel_vnni;    /* resize_vnni.c */

/* resize_kernel_at returns kernel i of those that this build and this CPU have, the slowest (C) first, or NULL if i is
 * too large.  resize_kernel_best returns the last of them. */
const struct resize_kernel *resize_kernel_at(size_t i);
const struct resize_kernel *resize_kernel_best(void);

struct resize {
    struct resize_axis x, y;
    const struct resize_kernel *kernel;
    bool down_first;        /* the vertical pass comes first */
    int32_t *sum;           /* [slots, cols]: output rows that are being added up */
    size_t slots, cols;     /* cols: 3 x.n, or, if down_first, the bytes of a row that the horizontal pass reads */
    size_t from;            /* if down_first: offset of these bytes in a row; else 0 */
    unsigned char *row;     /* [3 x.n]: a row after the horizontal pass */
    unsigned char *in;      /* [3 x.in]: a row before the horizontal pass, with RESIZE_PAD bytes behind it */
    unsigned char *out;     /* where the result goes, rows `stride` bytes apart */
    size_t stride;
    size_t at;              /* number of input rows taken so far */
    size_t begun, done;     /* numbers of output rows begun, and finished */
};

struct resize_window {
    size_t y, x, h, w;      /* must be inside out_h x out_w and not empty */
};

/* Plans the resize of h x w pixels to out_h x out_w, of which only the window win is computed.  All sizes must be >= 1.
 * The plan's memory is taken from a.  Returns 0, or -1 if memory runs out. */
int resize_plan(struct resize *r, enum prep_filter f, size_t h, size_t w, size_t out_h,
                size_t out_w, const struct resize_window *win, const struct resize_kernel *k,
                struct arena *a, struct err *e);

/* Starts a picture, whose result goes to out.  Rows of out are `stride` bytes apart. */
void resize_begin(struct resize *r, unsigned char *out, size_t stride);

/* Takes the next row of the picture, from the top.  After the last row, out is complete. */
void resize_row(struct resize *r, const unsigned char *rgb);

/* Resizes the whole picture rgb: calls resize_begin, then resize_row for each row. */
void resize_run(struct resize *r, const unsigned char *rgb, unsigned char *out, size_t stride);

#endif
