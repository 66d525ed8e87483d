/* clip_vision.h - the image tower behind struct clip_vision (clip.h), for what works on its inside
 *
 * What     One of the two kinds of tower, bound.  clip_grad.c reads its parts.
 */
#ifndef UNCLIP_CLIP_VISION_H
#define UNCLIP_CLIP_VISION_H

#include "lib/net/resnet.h"
#include "lib/net/vit.h"

struct clip_vision {
    const struct compute *c;    /* the compute that the weights are packed for */
    enum clip_vision_kind kind;
    union {
        struct vit vit;
        struct resnet resnet;
    } of;
};

#endif
