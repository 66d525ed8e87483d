/* vq_net.h - the parts of a bound autoencoder, for vq_bind.c, vq.c and vq_grad.c only */
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
    size_t groups;        /* of the norms */
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

/* A feature map [N, y, w, c] in memory, where the caller knows the batch size N. */
struct vq_map {
    float *x;
    size_t c, y, w;
};

/* The memory in which a forward pass keeps what the backward pass needs.  in[i][s] receives the input of step s of operation
 * i.  in[i][s] may be NULL if s > 0.  The caller fills in[0][0].  in[n][0] receives the result. */
struct vq_keep {
    float *(*in)[VQ_STEPS];    /* [n + 1] */
};

/* Returns the size of the result of operation o for an input of the size of h.  The pointer is that of h. */
struct vq_map vq_after(const struct vq_op *o, struct vq_map h);

/* Runs the operations [from, to) on n pictures, and stores the inputs of their steps in *keep.  h is the size of the input
 * of operation `from`.  The results have the same bits as those of vq_decode.  Returns 0, or -1 if scratch is too small. */
int vq_run_keep(const struct vq_net *net, const struct compute *k, size_t n, struct vq_map h, size_t from, size_t to,
                const struct vq_keep *keep, struct arena scratch);

/* Computes the inputs in[1], in[2] ... of the steps of operation i, a VQ_CONVS, from in[0].  h is the size
 * of in[0].  Returns 0, or -1 if the arena is too small. */
int vq_run_steps(const struct vq_net *net, const struct compute *k, size_t n, struct vq_map h, size_t i, float *const in[VQ_STEPS],
                 struct arena scratch);

/* Computes scores [rows, V] = l(h) for h [rows, k], and in tokens [rows] the index of the largest score of each row.  Either
 * result may be NULL.  Returns 0, or -1 if the arena is too small. */
int vq_choose(const struct linear *l, const struct compute *k, size_t rows, const float *h, float *scores, int *tokens, struct arena scratch);

/* vq_pixels_out converts h, the result of a decoder for one picture, to picture [3, Y, X], in which 0 is black and 1 is
 * white, not clamped.  vq_pixels_back writes the gradient with respect to h into d. */
void vq_pixels_out(const struct vq_config *c, const struct vq_map *h, float *picture);
void vq_pixels_back(const struct vq_config *c, const struct vq_map *h, const float *d_picture, float *d);

#endif
