/* vq_net.h - the parts of a bound autoencoder, for vq_bind.c and vq.c only */
#ifndef UNCLIP_VQ_NET_H
#define UNCLIP_VQ_NET_H

#include "lib/layer/pixel_attention.h"
#include "lib/net/vq.h"

enum { VQ_STEPS = 4, VQ_OPS = 2 * VQ_LEVELS * (2 * VQ_BLOCKS + 1) + 8, VQ_GROUPS = 32 };

/* One step: convolution(act(norm(x))). */
struct vq_step {
    struct gain norm;    /* g is NULL if the step has no norm */
    enum act act;
    struct conv conv;
};

/* One operation of a network, which turns the feature map into the next one. */
struct vq_op {
    enum { VQ_CONVS, VQ_ATTENTION, VQ_POOL } kind;    /* VQ_POOL: the maximum of 2x2 pixels */
    enum resample resample;                           /* of the input of VQ_CONVS */
    size_t steps;
    struct vq_step step[VQ_STEPS];
    bool residual, has_skip;                          /* residual: x is added, or skip(x) with has_skip */
    struct conv skip;
    struct pixel_attention attention;
};

struct vq_net {
    struct vq_op *op;
    size_t n, in, out;    /* n operations; channels of the input and of the result */
    float eps;
    size_t band;
};

struct vq_encoder {
    struct vq_config c;
    struct vq_net net;
    enum act act;            /* applied to the net's result before the scores */
    struct linear scores;    /* [V, E] */
};

struct vq_decoder {
    struct vq_config c;
    struct vq_net net;
    const float *row, *bias;    /* row [V, E]; bias [E] is added to each row, or NULL */
};

#endif
