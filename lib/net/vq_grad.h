/* vq_grad.h - latents as pictures, and the gradient of the pictures with respect to the latents: VQGAN-CLIP's canvas
 *
 * What     The latent z [E] of each cell of the grid is replaced by the nearest row of the codebook:
 *
 *              z_q = the row e with the least |z - e|^2       picture = decoder(z_q)       dz = dz_q    (straight through)
 *
 *          vq_pass_run computes the picture with the network of vq.h, and keeps what vq_pass_back needs.  Only the VQGANs
 *          of vq.h are supported, not the dVAE.
 * Source   Crowson et al. 2022, arXiv:2204.08583; nerdyrodent/VQGAN-CLIP @07a2489 generate.py (vector_quantize, replace_grad);
 *          the chain rule, backwards through vq.h.
 * Shapes   z, d_z [h, w, E]; picture, d_picture [3, h * ratio, w * ratio]; f32.
 * Units    0 is black and 1 is white.  The picture is not clamped.
 * EASY TO GET WRONG  A pass holds one picture.  vq_pass_back computes the gradient for the picture of the last vq_pass_run.
 * Errors   NULL or -1, with a message in e, if the network is a dVAE or memory is exhausted.
 * Numbers  The gradient with respect to the latents differs from autograd in f64, relative to the largest value, by 1e-6 in
 *          f32 (tests/unit/vq_grad.c), and by 2e-15 if compiled for double (vq_grad_f64.c).  With bf16 weights the cosine
 *          to the exact gradient is above 0.9999.  The nearest rows are always chosen in f32.  No byte depends on the
 *          number of threads, or on the mode (KEEP_ALL, KEEP_INPUTS).
 * Memory   vq_grad_bind packs all filters a second time, and the codebook.  A pass of the f16 VQGAN at 256 x 256 keeps
 *          350 MB with KEEP_ALL and 205 MB with KEEP_INPUTS; both grow with the area.  With KEEP_INPUTS, vq_pass_back
 *          computes each block again.
 *          Scratch holds four feature maps of the largest size.
 * Threads  Those of the kernels.  One call at a time may use a pass.
 */
#ifndef UNCLIP_VQ_GRAD_H
#define UNCLIP_VQ_GRAD_H

#include "lib/layer/transformer_back.h"
#include "lib/net/vq.h"

struct vq_grad;    /* a decoder, its filters turned for the backward pass, and its codebook */
struct vq_pass;    /* what the backward pass of one picture needs */

struct vq_grad *vq_grad_bind(const struct vq_decoder *v, const struct compute *k, struct arena *keep, struct err *e);

/* Returns E, the width of a latent. */
size_t vq_grad_width(const struct vq_grad *g);

/* The three functions return [E] floats: row i < V of the codebook, and the smallest and the largest value of each of its
 * columns. */
const float *vq_grad_row(const struct vq_grad *g, size_t i);
const float *vq_grad_least(const struct vq_grad *g);
const float *vq_grad_most(const struct vq_grad *g);

/* Returns the bytes that a pass of h x w latents takes.  KEEP_STATES is the same as KEEP_ALL. */
size_t vq_pass_bytes(const struct vq_grad *g, size_t h, size_t w, enum keep_mode mode);

struct vq_pass *vq_pass_open(const struct vq_grad *g, size_t h, size_t w, enum keep_mode mode, struct arena *keep,
                             struct err *e);

int vq_pass_run(struct vq_pass *p, const struct compute *k, const float *z, float *picture, struct arena scratch,
                struct err *e);

int vq_pass_back(const struct vq_pass *p, const struct compute *k, const float *d_picture, float *d_z,
                 struct arena scratch, struct err *e);

/* The two functions are for tests.  vq_pass_operations returns the number of operations of the decoder.  vq_pass_back_one
 * computes dx, the gradient with respect to the input of operation i, from d, the one with respect to its result, both
 * channels last. */
size_t vq_pass_operations(const struct vq_pass *p);
int vq_pass_back_one(const struct vq_pass *p, const struct compute *k, size_t i, const float *d, float *dx,
                     struct arena scratch);

#endif
