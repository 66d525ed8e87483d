/* unet_names.h - what each family of checkpoints calls the tensors of a U-Net
 *
 * What     One table for each family, which binding (unet_bind.c) and shapes (unet_shape.c) read.
 * Source   diffusers' UNet2DConditionModel and UNet2DModel; openai/guided-diffusion unet.py, whose names the
 *          original files of Karlo and GLIDE have.
 * Names    Each name stands for a pair: it with .weight and with .bias.  NULL: the family has no such tensor.
 */
#ifndef UNCLIP_UNET_NAMES_H
#define UNCLIP_UNET_NAMES_H

#include "lib/net/unet.h"

/* Where a block is.  l counts levels from the top (DOWN_*, HALVE) or from the bottom (UP_*, TWICE); j counts the
 * blocks of a level, or the two of MID_RES. */
enum unet_place { DOWN_RES, DOWN_ATT, HALVE, MID_RES, MID_ATT, UP_RES, UP_ATT, TWICE };

enum { UNET_BLOCK_NAME = 128 };

struct unet_names {
    const char *conv_in, *time1, *time2, *norm_out, *conv_out;      /* behind the file's prefix */
    const char *norm1, *conv1, *time, *norm2, *conv2, *shortcut;    /* of a residual block */
    /* Of an attention block.  Where qkv is NULL, q, k and v, and the context's kc and vc, are tensors of their
     * own; otherwise qkv and kv hold them, interleaved per head, as convolutions [n, k, 1]. */
    const char *norm, *q, *k, *v, *qkv, *kc, *vc, *kv, *out;
    /* The name of a block, prefix included and without a dot at its end. */
    void (*block)(char at[UNET_BLOCK_NAME], const struct unet_config *c, enum unet_place p, size_t l, size_t j);
};

const struct unet_names *unet_names_of(enum unet_family family);

#endif
