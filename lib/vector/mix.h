/* mix.h - arithmetic on embeddings and noises: interpolation, text differences, principal components
 *
 * What     slerp(a, b, t): with unit directions a^, b^ and W = acos(a^ . b^),
 *              [sin((1-t) W) a^ + sin(t W) b^] / sin W, times the length (1-t) |a| + t |b|;
 *              lerp if sin W < 1e-6.  t = 0 and 1 give a and b themselves, bit for bit.
 *          text difference: d = (new - old) / |new - old|, scaled to the length of the image's vector, then
 *              slerp(image, d, t), t from 0 to 0.25 .. 0.5.
 *          PCA: mean and orthonormal components by decreasing variance; project c = U^T (z - mean);
 *              reconstruct z = mean + U_k c_k with the first k.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, sections 3 and 7.1; Shoemake 1985 (slerp).
 * Shapes   vectors [d] f32; components [k, d], rows of length one.
 * Numbers  Results are computed in f64 and rounded once to f32.
 * Errors   The functions return -1 if they need the direction of a vector that is zero or not finite, for two
 *          opposite vectors (mix_slerp), two equal vectors (mix_difference), and if all vectors are equal
 *          (pca_fit).
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_MIX_H
#define UNCLIP_MIX_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

int mix_slerp(const float *a, const float *b, double t, size_t d, float *out, struct err *e);
void mix_lerp(const float *a, const float *b, double t, size_t d, float *out);

/* Writes `to` - `from`, scaled to the length of `like`, into out. */
int mix_difference(const float *from, const float *to, const float *like, size_t d, float *out, struct err *e);

struct pca {
    size_t d, k;
    float *mean;         /* [d] */
    float *component;    /* [k, d] */
    float *variance;     /* [k], decreasing */
};

/* Computes the k = min(n - 1, d, most) leading components of n vectors x [n, d], n >= 2; the arrays of p are taken from
 * the arena keep.  p->k is less than this k if the vectors span fewer dimensions: components whose variance is below
 * 1e-13 of the largest are left out. */
int pca_fit(struct pca *p, const float *x, size_t n, size_t d, size_t most, struct arena *keep, struct err *e);

void pca_project(const struct pca *p, const float *x, size_t k, float *c);         /* writes c [k] */
void pca_reconstruct(const struct pca *p, const float *c, size_t k, float *x);     /* writes x [d] */

#endif
