/* canvas.h - the parameters that are optimised (strokes, pixels, frequencies or latents), their picture and their optimiser
 *
 * What     canvas_open makes a random or given start.  canvas_draw makes the picture.  canvas_back turns the gradient with
 *          respect to the picture into that with respect to the parameters.  canvas_step moves the parameters.
 *
 *          CANVAS_STROKES   strokes of 1 to 3 segments, begun anywhere; each control point is within a twentieth of the
 *                           side from the point before it, in each direction; radius 1, any colour.  Learning rates lr
 *                           for points, lr / 10 for radii and lr / 100 for colours.  After a step radii are kept in
 *                           [1, 50] and colours in [0, 1].
 *          CANVAS_PIXELS    the pixels themselves, begun as noise around grey or as a picture, clamped to [0, 1].
 *          CANVAS_FOURIER   amplitudes (fourier.h), begun as small noise or as a picture.
 *          CANVAS_VQGAN     latents of a VQGAN (latents.h), begun as random codes or as a picture's codes.
 * Source   kvfrans/clipdraw for the strokes' starts, rates and limits; VQGAN-CLIP for the latents.
 * Shapes   A picture is f32 [3, h, w] in [0, 1].
 * Draws    From Philox (draws.h) with the key: stroke k is sequence k.  Noise is noise_fill of the key.
 * Threads  Those of compute.pool.  No byte depends on their number.
 */
#ifndef UNCLIP_CANVAS_H
#define UNCLIP_CANVAS_H

#include "lib/diffusion/noise.h"
#include "lib/draw/fourier.h"
#include "lib/draw/latents.h"
#include "lib/draw/stroke.h"

enum canvas_kind { CANVAS_STROKES, CANVAS_PIXELS, CANVAS_FOURIER, CANVAS_VQGAN };

struct canvas {
    enum canvas_kind kind;
    size_t h, w, count;        /* count: the number of parameters */
    size_t t;                  /* steps taken */
    float *param, *d_param, *m, *v;    /* [count] */
    struct strokes strokes;
    struct raster *raster;
    struct fourier fourier;
    struct latents *latents;
};

/* Opens a canvas of any kind except CANVAS_VQGAN (see canvas_open_latents).  n is the number of strokes.  init is a picture
 * to begin with, or NULL; it must be NULL for strokes. */
int canvas_open(struct canvas *c, enum canvas_kind kind, size_t h, size_t w, size_t n, const float *init, const struct noise_key *key,
                const struct compute *k, struct arena *a, struct err *e);

/* Gives c strokes that the caller made, in the place of random ones; the canvas uses and changes s->param. */
int canvas_open_strokes(struct canvas *c, const struct strokes *s, size_t h, size_t w, const struct compute *k, struct arena *a,
                        struct err *e);

/* Opens c as CANVAS_VQGAN with latents that the caller opened.  The latents begin as the codebook rows of the tokens or, if
 * tokens is NULL, as random rows. */
int canvas_open_latents(struct canvas *c, struct latents *l, const int *tokens, const struct noise_key *key, struct arena *a, struct err *e);

/* Returns true if a canvas of latents ran out of memory.  Its picture is then invalid. */
bool canvas_failed(const struct canvas *c);

void canvas_draw(struct canvas *c, float *picture);

/* picture is what canvas_draw made of the same parameters. */
void canvas_back(struct canvas *c, const float *picture, const float *d_picture);

/* fade is a factor for the learning rate of points; other parameters keep their rates. */
void canvas_step(struct canvas *c, double lr, double fade);

#endif
