/* vq_net.h - the parts of a bound autoencoder, for vq_bind.c and vq.c only */
#ifndef UNCLIP_VQ_NET_H
#define UNCLIP_VQ_NET_H

#include "lib/layer/pixel_attention.h"
#include "lib/net/vq.h"

enum { VQ_STEPS = 4, VQ_OPS = 2 * VQ_LEVELS * (2 * VQ_BLOCKS + 1) + 8, VQ_GROUPS = 32 };

/* convolution(act(norm(x))) */
struct vq_step {
    struct gain norm;    /* g NULL: none */
    enum act act;
    struct conv conv;
};

/* What happens to the feature map next. */
struct vq_op {
    enum { VQ_CONVS, VQ_ATTENTION, VQ_POOL } kind;    /* VQ_POOL: the largest of 2x2 */
    enum resample resample;                           /* of what VQ_CONVS reads */
    size_t steps;
    struct vq_step step[VQ_STEPS];
    bool residual, has_skip;                          /* + x, or + skip(x) */
    struct conv skip;
    struct pixel_attention attention;
};

struct vq_net {
    struct vq_op *op;
    size_t n, in, out;    /* operations; channels */
    float eps;
    size_t band;
};

struct vq_encoder {
    struct vq_config c;
    struct vq_net net;
    enum act act;            /* of the net's result, before the scores */
    struct linear scores;    /* [V, E] */
};

struct vq_decoder {
    struct vq_config c;
    struct vq_net net;
    const float *row, *bias;    /* [V, E]; [E] added to each, or NULL */
};

#endif
