/* vit_back.h - the gradient of a Vision Transformer's embedding with respect to its pixels
 *
 * What     vit_run_keep (vit.h) computes a pass and leaves what vit_back needs.  Class token and positions are
 *          constants.  Patches do not overlap, so each pixel gets one product.
 * Source   The chain rule, backwards through vit.h.
 * Shapes   d_embed [n, E], d_images [n, 3, S, S], f32; images are the normalised ones of vit_run.
 * Errors   vit_turn returns -1 and a message when memory runs out.  The other functions cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_VIT_BACK_H
#define UNCLIP_VIT_BACK_H

#include "lib/layer/transformer_back.h"
#include "lib/net/vit.h"

/* The transposed matrices. */
struct vit_turned {
    struct linear patches, projection;
    struct transformer_turned *blocks;
};

int vit_turn(struct vit_turned *u, const struct vit *v, const struct compute *c, struct arena *keep, struct err *e);

/* Cuts the arrays that a pass of n images keeps from the scratch s. */
struct vit_keep vit_keep_cut(const struct vit *v, size_t n, enum keep_mode mode, struct scratch *s);

size_t vit_back_scratch(const struct vit *v, const struct vit_turned *u, const struct compute *c, size_t n,
                        enum keep_mode mode);

/* Computes the gradient of one pass.  Call it only once for each vit_run_keep, because it overwrites what was kept. */
void vit_back(const struct vit *v, const struct vit_turned *u, const struct compute *c, size_t n,
              const struct vit_keep *k, const float *d_embed, float *d_images, void *scratch);

#endif
