/* resnet.h - the modified ResNet image tower of CLIP
 *
 * What     A stem of three convolutions, four stages of bottlenecks in which average pools take the place of
 *          strides, and an attention pool whose only query is the mean of all pixels.
 * Source   He et al. 2016, arXiv:1512.03385; openai/CLIP @d05afc4 clip/model.py ModifiedResNet,
 *          AttentionPool2d.
 * Shapes   images [n, 3, S, S], embed [n, E], f32.  Feature maps between the layers are [n, Y, X, C].
 * Numbers  BatchNorm (inference) is folded into the convolutions at load, in f32:
 *          W' = W k, b' = beta - mean k, k = gamma / sqrt(var + 1e-5).
 *          In the attention pool only the query of the mean is computed, because nothing reads the others.
 * Errors   resnet_bind leaves its error in b (bind.h).  resnet_run cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_RESNET_H
#define UNCLIP_RESNET_H

#include "lib/layer/bind.h"
#include "lib/layer/conv.h"
#include "lib/net/clip.h"

struct bottleneck {
    size_t in, planes, stride;    /* in: channels of the input; the output has 4 * planes */
    bool shortcut;                /* x goes through the convolution `down` before it is added */
    struct conv conv1, conv2, conv3, down;
};

struct resnet {
    size_t image, width, embed, heads;    /* S, w, E, heads of the attention pool */
    struct conv stem[3];
    size_t blocks;
    struct bottleneck *block;             /* of all four stages */
    const float *position;                /* [1 + (S / 32)^2, 32 w] */
    struct linear q, kv, c;               /* of the attention pool */
};

void resnet_bind(struct resnet *r, const struct clip_vision_config *config, const struct resnet_names *names,
                 struct bind *b);
/* Bytes of scratch for n images. */
size_t resnet_scratch(const struct resnet *r, const struct compute *c, size_t n);
/* Returns how many of n images one pass computes.  resnet_run runs pass after pass.  No result depends on it. */
size_t resnet_pass(const struct resnet *r, size_t n);

/* What a pass of n images leaves for resnet_back (resnet_back.h).  No feature map is kept, because BatchNorm is folded
 * and only ReLU and the attention pool are not linear. */
struct resnet_keep {
    unsigned char *bits;    /* a bit for each output of a ReLU, in the order of the run; each map begins at a byte */
    float *q, *kv;          /* of the attention pool: [n, 32 w], [n * (1 + (S / 32)^2), 64 w] */
};

/* Computes one pass of n <= resnet_pass(r, n) images, and stores in k's arrays what resnet_back needs.  scratch is as
 * large as for resnet_run. */
void resnet_run_keep(const struct resnet *r, const struct compute *c, size_t n, const float *images, float *embed,
                     const struct resnet_keep *k, void *scratch);

void resnet_run(const struct resnet *r, const struct compute *c, size_t n, const float *images,
                float *embed, void *scratch);

#endif
