/* fourier.h - a picture as the real amplitudes of its frequencies
 *
 * What     Three planes of amplitudes are scaled by frequency, transformed, mixed by a 3 x 3 colour matrix, and mapped to
 *          [0, 1] by a sigmoid.  Because low frequencies have large scales, plain Adam makes smooth pictures.
 *
 *              plane = T_h (scale * amplitude) T_w,   T_n[j][k] = (cos a + sin a) / sqrt(n),  a = 2 pi j k / n
 *              scale(f) = 1 / max(|f|, 1 / max(h, w)) / 4
 *
 *          T is the Hartley transform, which is its own inverse and its own transpose.  It mixes only frequencies of one
 *          length |f|, so its amplitudes play the part of a real FFT's.
 * Source   Olah et al. 2017, "Feature Visualization", doi:10.23915/distill.00007 (preconditioning), and its library
 *          lucid, optvis/param (fft_image and the colour matrix).
 * Shapes   amplitude, picture: [3, h, w].
 * Memory   fourier_open takes h^2 + w^2 + h w floats for the tables, and 6 h w floats of scratch for the other functions.
 *          So only one call at a time may use a struct fourier.
 * Threads  Those of the pool.  The bytes do not depend on their number.
 */
#ifndef UNCLIP_FOURIER_H
#define UNCLIP_FOURIER_H

#include "lib/base/arena.h"
#include "lib/base/compute.h"
#include "lib/base/err.h"

struct fourier {
    size_t h, w;
    const struct compute *k;
    float *th, *tw;            /* [h, h], [w, w] */
    float *scale;              /* [h, w] */
    float *scratch, *mixed;    /* [3, h, w] each */
};

int fourier_open(struct fourier *f, size_t h, size_t w, const struct compute *k, struct arena *a, struct err *e);

/* Makes the picture.  fourier_back needs the picture that fourier_run made, and writes the gradient by the amplitudes. */
void fourier_run(const struct fourier *f, const float *amplitude, float *picture);
void fourier_back(const struct fourier *f, const float *picture, const float *d_picture, float *d_amplitude);

/* Finds the amplitudes that give a picture, whose values are first clamped to [0.01, 0.99]. */
void fourier_of(const struct fourier *f, const float *picture, float *amplitude);

#endif
