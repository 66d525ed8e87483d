/* unet_net.h - the parts of a bound U-Net, for unet_bind.c and unet.c only */
#ifndef UNCLIP_UNET_NET_H
#define UNCLIP_UNET_NET_H

#include "lib/layer/pixel_attention.h"
#include "lib/net/unet.h"

struct unet_res {
    size_t ci, co;
    enum resample resample;
    struct gain norm1, norm2;
    struct linear time;            /* [co, 4 C0], or [2 co, 4 C0] with film */
    struct conv conv1, conv2, shortcut;
    bool has_shortcut;
};

struct unet_attention {
    struct pixel_attention a;
    struct linear context;    /* [2 C, Dc] */
    size_t index;             /* kv[index] of struct unet_context has this attention's keys and values */
};

struct unet_level {
    struct unet_res *down, *up;                     /* [layers], [layers + 1] */
    struct unet_attention *down_att, *up_att;       /* NULL if the level has no attention */
    struct unet_res halve, twice;    /* lead to the level below and above; unused if the U-Net has no such level */
};

struct unet {
    struct unet_config c;
    size_t attentions;
    struct linear time1, time2;
    struct conv conv_in, conv_out;
    struct unet_level level[UNET_LEVELS];
    struct unet_res mid[2];
    struct unet_attention mid_att;
    struct gain norm_out;
};

#endif
