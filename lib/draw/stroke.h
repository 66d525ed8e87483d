/* stroke.h - coloured strokes to a picture, and the gradient of a loss from the picture back to the strokes
 *
 * What     A stroke is a chain of cubic Bezier segments with one radius and one colour.  Strokes are drawn in order on
 *          white.  With d the distance from a pixel's centre to the nearest point of a stroke, r the radius, and
 *          S(u) = t^2 (3 - 2t), t = clamp((u + 1) / 2, 0, 1):
 *
 *              coverage = S(d + r) - S(d - r)              A = alpha coverage
 *              C_0 = 1 (white)                             C_k = C_(k-1) (1 - A_k) + A_k rgb_k
 *
 *          The coverage has a continuous derivative, except where two points of the stroke are equally near.
 * Source   Li et al. 2020, "Differentiable Vector Graphics Rasterization for Editing and Learning",
 *          doi:10.1145/3414685.3417871: the coverage is that of diffvg's prefiltered mode.  Its sampled mode is not
 *          used.  The gradient here is that of this picture itself: at the nearest point, B'(t) is orthogonal to
 *          B(t) - q or t is at an end, so t counts as a constant (the envelope theorem).
 * Shapes   A stroke of s segments has 3 s + 1 points.  param is [2 P + n + 4 n], where P counts the points of all n
 *          strokes: x and y of each point, then the radii, then r, g, b and alpha of each stroke.  The gradient has the
 *          same layout.  A picture is f32 [3, h, w].
 * Units    Points and radii in pixels, x to the right, y down; the centre of pixel (x, y) is (x + 0.5, y + 0.5).
 *          Colours and pictures in [0, 1].  EASY TO GET WRONG: the radius is half the width that SVG writes, and what
 *          diffvg calls stroke_width is this radius.
 * Numbers  Distances, coverage and sums in f64, the rest f32.  Against the reference in f64 (tests/unit/stroke.c):
 *          the picture within 5e-7, gradients within 7e-7 of the largest.  The nearest point is found from 25 samples
 *          of each segment; each local minimum is refined by Newton's method.
 * Memory   Scratch: 504 bytes for each segment, 3 KB for each stroke and thread, and up to STROKE_GROUPS gradients.
 * Threads  Those of the pool.  The bytes of a result do not depend on their number.
 */
#ifndef UNCLIP_STROKE_H
#define UNCLIP_STROKE_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/pool.h"

enum { STROKE_GROUPS = 64, STROKE_SEGMENTS = 16 };    /* STROKE_SEGMENTS: the most segments of one stroke */

struct strokes {
    size_t n;
    const size_t *first;     /* [n + 1] stroke k has the points first[k] to first[k + 1] - 1 */
    float *param;            /* [strokes_count] */
};

/* Returns the number of parameters. */
static inline size_t strokes_count(const struct strokes *s) {
    return 2 * s->first[s->n] + 5 * s->n;
}

/* Return the part of param, or of a gradient with the same layout, that holds the radii or the colours. */
static inline float *strokes_radius(const struct strokes *s, float *param) {
    return param + 2 * s->first[s->n];
}

static inline float *strokes_rgba(const struct strokes *s, float *param) {
    return param + 2 * s->first[s->n] + s->n;
}

struct raster;    /* the memory for drawings of one size */

/* Takes memory for h x w pixels and for strokes of this number and these points.  The pool must be the one of the runs.
 * Returns NULL if memory runs out, or if a stroke has no segment, more than STROKE_SEGMENTS, or points left over. */
struct raster *raster_open(const struct strokes *s, size_t h, size_t w, struct pool *pool, struct arena *a, struct err *e);

/* Draws the strokes: picture [3, h, w].  All parameters must be finite, and radii must not be negative. */
void raster_draw(struct raster *g, const struct strokes *s, float *picture);

/* Computes the gradient by the parameters from the gradient by the picture, d_picture [3, h, w]. */
void raster_back(struct raster *g, const struct strokes *s, const float *d_picture, float *d_param);

#endif
