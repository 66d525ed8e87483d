/* vq_grad.h - latents as pictures, and the gradient of the pictures with respect to the latents: VQGAN-CLIP's canvas
 *
 * What     A latent z [E] at each place of the grid stands for the nearest row of the codebook, as
 *
 *              z_q = the row e with the least |z - e|^2       picture = decoder(z_q)       dz = dz_q    (straight through)
 *
 *          vq_pass_run computes the picture with the network of vq.h, and keeps what vq_pass_back needs.  The families are
 *          the VQGANs of vq.h, and not the dVAE.
 * Source   Crowson et al. 2022, arXiv:2204.08583; nerdyrodent/VQGAN-CLIP @07a2489 generate.py (vector_quantize, replace_grad);
 *          the chain rule, backwards through vq.h.
 * Shapes   z, d_z [h, w, E]; picture, d_picture [3, h * ratio, w * ratio]; f32.
 * Units    0 is black and 1 is white.  The picture is not clamped.
 * EASY TO GET WRONG  A pass holds one picture.  vq_pass_back is for the picture of the last vq_pass_run.
 * Errors   NULL or -1, with a message in e: the network is a dVAE, memory is exhausted.
 * Numbers  Errors against autograd in f64, as parts of the largest value (tests/unit/vq_grad.c): at the latents 1e-6 in f32,
 *          and 2e-15 compiled for double (vq_grad_f64.c).  With bf16 weights the cosine to the exact gradient is above 0.9999.
 *          Rows are chosen in f32 always.  No byte depends on the threads.  The modes give the same bits.
 * Memory   vq_grad_bind packs all filters a second time, and the codebook.  A pass of the f16 VQGAN at 256 x 256 keeps
 *          350 MB with KEEP_ALL and 205 MB with KEEP_INPUTS, which computes each block again; both grow with the area.
 *          Scratch holds four feature maps of the largest size.
 * Threads  Those of the kernels.  One call at a time may use a pass.
 */
#ifndef UNCLIP_VQ_GRAD_H
#define UNCLIP_VQ_GRAD_H

#include "lib/layer/transformer_back.h"
#include "lib/net/vq.h"

struct vq_grad;    /* a decoder with its filters turned, and its codebook */
struct vq_pass;    /* what one picture keeps */

struct vq_grad *vq_grad_bind(const struct vq_decoder *v, const struct compute *k, struct arena *keep, struct err *e);

/* Returns E, the width of a latent. */
size_t vq_grad_width(const struct vq_grad *g);

/* Returns row i < V of the codebook, [E], and the least and the largest number of each of its columns, [E]. */
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

/* For tests: number of the operations of the decoder; the gradient at the input of operation i, channels last, from that
 * at its result. */
size_t vq_pass_operations(const struct vq_pass *p);
int vq_pass_back_one(const struct vq_pass *p, const struct compute *k, size_t i, const float *d, float *dx,
                     struct arena scratch);

#endif
