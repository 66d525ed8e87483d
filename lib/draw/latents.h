/* latents.h - VQGAN-CLIP's canvas: latents that the decoder of a VQGAN turns into a picture
 *
 * What     Each latent is replaced by the nearest row of the codebook, and the decoder turns each cell of the grid into
 *          ratio x ratio pixels (vq_grad.h).  Pixels are clamped to [0, 1].  Where the clamp is active, the gradient
 *          passes only if a step against it leads back into [0, 1].  The latents begin as random rows of the codebook, or
 *          as the rows of given tokens.  After a step of the optimiser, each channel of the latents is clamped to the
 *          range of its column of the codebook.
 * Source   Crowson et al. 2022, arXiv:2204.08583; nerdyrodent/VQGAN-CLIP @07a2489 generate.py.
 * Shapes   z, d_z [h, w, E]; picture, d_picture [3, h * ratio, w * ratio].
 * Draws    From Philox (draws.h) with the key: the random row of cell i of the grid is drawn from sequence i.
 * Errors   latents_open fails if memory runs out.  If scratch runs out, latents_draw and latents_back set `full`.  From
 *          then on their results are zeros.
 * Memory   latents_open takes a struct vq_pass (vq_pass_bytes) and a picture.  The other functions use the arena `scratch`.
 * Threads  Those of compute.pool.  No byte depends on their number.
 */
#ifndef UNCLIP_LATENTS_H
#define UNCLIP_LATENTS_H

#include "lib/diffusion/noise.h"
#include "lib/net/vq_grad.h"

struct latents {
    const struct vq_grad *g;
    const struct compute *k;
    size_t h, w, codes, ratio;    /* h, w: size of the grid; codes: V; ratio: a cell is ratio x ratio pixels */
    struct arena scratch;
    struct vq_pass *pass;
    float *raw;                   /* the picture of the last latents_draw, not clamped */
    bool full;                    /* scratch ran out: the results are zeros */
};

/* Takes the memory of *l, in which the caller has set g, k, h, w, codes, ratio and scratch. */
int latents_open(struct latents *l, enum keep_mode mode, struct arena *keep, struct err *e);

/* Writes the initial latents to z: the codebook rows of the tokens [h, w], or random rows if tokens is NULL. */
void latents_start(const struct latents *l, const int *tokens, const struct noise_key *key, float *z);

void latents_draw(struct latents *l, const float *z, float *picture);

/* Computes d_z, the gradient with respect to the latents z of the last latents_draw. */
void latents_back(struct latents *l, const float *d_picture, float *d_z);

void latents_clamp(const struct latents *l, float *z);

#endif
