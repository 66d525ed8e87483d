/* clip_grad.h - gradients through CLIP's image tower, to the pixels
 *
 * What     clip_image_keep embeds images as clip_image_run does, to the bit, and keeps what the backward pass needs.
 *          clip_image_back then computes, from the gradient of a loss with respect to the embeddings, its gradient with
 *          respect to the pixels.  No weight gets a gradient.
 *          The networks are those of clip.h: the same code runs, which leaves its intermediate results in `kept`.
 * Source   Radford et al. 2021, arXiv:2103.00020; the chain rule (vit_back.h, resnet_back.h).
 * Shapes   images and d_images [n, 3, S, S], embed and d_embed [n, E], f32.
 * Units    images are normalised by the checkpoint's mean and std.  For the gradient at pixels in [0, 1], the caller
 *          divides d_images by std, channel by channel.  Embeddings do not have length 1.
 *          For cos = u . t with u = e / |e| and |t| = 1, de = (t - cos u) / |e|.
 * EASY TO GET WRONG  There is one clip_image_back for each clip_image_keep, with the same n and mode: the backward pass
 *          overwrites what was kept.
 * Errors   clip_grad_bind returns NULL and a message when memory runs out, and for a ResNet with bf16 weights: flipped
 *          ReLUs make such gradients wrong by a few percent.  The other functions cannot fail.
 * Numbers  f32 against autograd in f64 (tests/unit/clip_grad.c, of the largest value): pixels of ViTs 2.6e-6, of a ResNet
 *          9.4e-6; at the result of a layer of a ResNet up to 2.4e-5, as torch in f32.  Compiled for double
 *          (clip_grad_f64.c): 4e-15.
 *          bf16 weights (ViT): the gradient of the network with rounded weights, whose cosine to the exact one is above 0.9998.
 *          No byte depends on n or the threads.  The modes differ in the last bits of the gradient.
 * Memory   Kept for one image, f32, in MB, and the time of a pass back in passes forward:
 *                             KEEP_ALL   KEEP_STATES   KEEP_INPUTS
 *              ViT-B/32         18          16.6          3.3
 *              ViT-B/16         88          65            15
 *              ViT-L/14        329         227            39
 *              ViT-L/14@336   1022         511            99
 *              time              1          1+            2
 *          A ResNet keeps one bit for each ReLU whatever the mode: RN50 1.4 MB, RN50x64 28 MB.
 *          A batch may be split, and the gradients of its images are unchanged.
 * Threads  Those of the kernels, over compute.pool.
 */
#ifndef UNCLIP_CLIP_GRAD_H
#define UNCLIP_CLIP_GRAD_H

#include "lib/layer/transformer_back.h"
#include "lib/net/clip.h"

struct clip_grad;    /* a tower and its transposed matrices */

/* Packs the transposed matrices of v, for the compute that v was bound with, into keep. */
struct clip_grad *clip_grad_bind(const struct clip_vision *v, const struct compute *k, struct arena *keep, struct err *e);

/* The bytes of `kept` for n images: what is kept, and scratch of both calls.  The caller aligns the block to
 * ARENA_ALIGN. */
size_t clip_grad_scratch(const struct clip_grad *g, size_t n, enum keep_mode mode);

void clip_image_keep(const struct clip_grad *g, const struct compute *k, size_t n, enum keep_mode mode,
                     const float *images, float *embed, void *kept);

void clip_image_back(const struct clip_grad *g, const struct compute *k, size_t n, enum keep_mode mode,
                     const float *d_embed, float *d_images, void *kept);

#endif
