/* resnet_back.h - the gradient of a ResNet's embedding with respect to its pixels
 *
 * What     resnet_run_keep (resnet.h) computes a pass and leaves what resnet_back needs: the signs of ReLU's results,
 *          and queries, keys and values of the attention pool.
 *              convolution     convolution with the transposed filters, turned by 180 degrees
 *              ReLU            dx = dy where y > 0, else 0
 *              average pool    each of the four pixels gets dy / 4
 *              mean token      each of the P pixels gets dz_0 / P
 * Source   The chain rule, backwards through resnet.h.
 * Shapes   d_embed [n, E], d_images [n, 3, S, S], f32.  Gradients between the layers are [n, Y, X, C].
 * Numbers  f32 weights only: with rounded weights, ReLUs flip, and a gradient is wrong by a few percent.
 * Errors   resnet_turn returns -1 and a message when memory runs out.  The other functions cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_RESNET_BACK_H
#define UNCLIP_RESNET_BACK_H

#include "lib/base/scratch.h"
#include "lib/net/resnet.h"

/* The transposed matrices and filters. */
struct bottleneck_turned {
    struct conv conv1, conv2, conv3, down;
};

struct resnet_turned {
    struct linear window;           /* of the first convolution, which has a stride */
    struct conv stem[2];            /* of the second and the third convolution */
    struct bottleneck_turned *block;
    struct linear q, kv, c;
};

int resnet_turn(struct resnet_turned *u, const struct resnet *r, const struct compute *c, struct arena *keep, struct err *e);

/* Cuts the arrays that a pass of n images keeps from the scratch s. */
struct resnet_keep resnet_keep_cut(const struct resnet *r, size_t n, struct scratch *s);

size_t resnet_back_scratch(const struct resnet *r, const struct resnet_turned *u, const struct compute *c, size_t n);

void resnet_back(const struct resnet *r, const struct resnet_turned *u, const struct compute *c, size_t n,
                 const struct resnet_keep *k, const float *d_embed, float *d_images, void *scratch);

/* The state of resnet_back between its steps.  x is the gradient at the result of block number `block` - 1, or at the
 * result of the stem if `block` is 0.  The maps of x have side x side pixels. */
struct resnet_gradient {
    const struct resnet *r;
    const struct resnet_turned *u;
    const struct compute *c;
    size_t n, block, side;
    float *x;
    float *y, *s, *t;               /* scratch */
    const unsigned char *bits;      /* the end of the bits that are still to be read */
    void *rest;
};

struct resnet_gradient resnet_back_pool(const struct resnet *r, const struct resnet_turned *u, const struct compute *c,
                                        size_t n, const struct resnet_keep *k, const float *d_embed, void *scratch);
void resnet_back_block(struct resnet_gradient *g);
void resnet_back_stem(struct resnet_gradient *g, float *d_images);

#endif
