/* clip_grad.h - gradients through CLIP's image tower, to the pixels
 *
 * What     clip_image_keep embeds images as clip_image_run does, to the bit, and keeps what the backward pass needs.
 *          clip_image_back takes the gradient of a loss with respect to the embeddings, and computes that of the loss
 *          with respect to the pixels.  No weight gets a gradient.
 *          The networks are those of clip.h: the same code runs, and leaves its intermediate results in `kept`.
 * Source   Radford et al. 2021, arXiv:2103.00020; the chain rule (vit_back.h, resnet_back.h).
 * Shapes   images and d_images [n, 3, S, S], embed and d_embed [n, E], f32.
 * Units    images are normalised by the checkpoint's mean and std.  For the gradient at pixels in [0, 1], the caller
 *          divides d_images by std, channel by channel.  Embeddings do not have length 1.
 *          For cos = u . t with u = e / |e| and |t| = 1, de = (t - cos u) / |e|.
 * EASY TO GET WRONG  Call clip_image_back only once after each clip_image_keep, with the same n and mode, because the
 *          backward pass overwrites what was kept.
 * Errors   clip_grad_bind returns NULL and a message when memory runs out, and for a ResNet with bf16 weights: flipped
 *          ReLUs make such gradients wrong by a few percent.  The other functions cannot fail.
 * Numbers  Errors against autograd in f64, as parts of the largest value (tests/unit/clip_grad.c): in f32, gradients at
 *          pixels 2.6e-6 for ViTs and 9.4e-6 for a ResNet, and at the results of a ResNet's layers up to 2.4e-5, as in
 *          torch in f32.  Compiled for double (clip_grad_f64.c): 4e-15.
 *          With bf16 weights (ViT only), the result is the gradient of the network with rounded weights.  Its cosine to
 *          the exact gradient is above 0.9998.
 *          No byte depends on n or the threads.  The modes differ in the last bits of the gradient.
 * Memory   What is kept for one image, f32, in MB, and the time of a backward pass, counted in forward passes:
 *                             KEEP_ALL   KEEP_STATES   KEEP_INPUTS
 *              ViT-B/32         18          16.6          3.3
 *              ViT-B/16         88          65            15
 *              ViT-L/14        329         227            39
 *              ViT-L/14@336   1022         511            99
 *              time              1          1+            2
 *          A ResNet keeps one bit for each ReLU whatever the mode: RN50 1.4 MB, RN50x64 28 MB.
 *          Splitting a batch does not change the gradients of its images.
 * Threads  Those of the kernels, over compute.pool.
 */
#ifndef UNCLIP_CLIP_GRAD_H
#define UNCLIP_CLIP_GRAD_H

#include "lib/layer/transformer_back.h"
#include "lib/net/clip.h"

struct clip_grad;    /* a tower and its transposed matrices */

/* Packs the transposed matrices of v, for the compute that v was bound with, into keep. */
struct clip_grad *clip_grad_bind(const struct clip_vision *v, const struct compute *k, struct arena *keep, struct err *e);

/* Returns the bytes of `kept` for n images, which holds what is kept and the scratch of both calls.  The caller aligns
 * `kept` to ARENA_ALIGN. */
size_t clip_grad_scratch(const struct clip_grad *g, size_t n, enum keep_mode mode);

void clip_image_keep(const struct clip_grad *g, const struct compute *k, size_t n, enum keep_mode mode,
                     const float *images, float *embed, void *kept);

void clip_image_back(const struct clip_grad *g, const struct compute *k, size_t n, enum keep_mode mode,
                     const float *d_embed, float *d_images, void *kept);

#endif
