/* unet_names.h - what each family of checkpoints calls the tensors of a U-Net
 *
 * What     One table for each family.  unet_bind.c reads it to find the tensors, and unet_shape.c to read their shapes.
 * Source   diffusers' UNet2DConditionModel and UNet2DModel; openai/guided-diffusion unet.py, whose names the
 *          original files of Karlo and GLIDE have.
 * Names    Each name stands for two tensors, NAME.weight and NAME.bias.  NULL means that the family has no such tensor.
 */
#ifndef UNCLIP_UNET_NAMES_H
#define UNCLIP_UNET_NAMES_H

#include "lib/net/unet.h"

/* Where a block is.  In DOWN_* and HALVE, level l counts from the top.  In UP_* and TWICE, it counts from the bottom.
 * j counts the blocks of a level, or the two blocks of MID_RES. */
enum unet_place { DOWN_RES, DOWN_ATT, HALVE, MID_RES, MID_ATT, UP_RES, UP_ATT, TWICE };

enum { UNET_BLOCK_NAME = 128 };

struct unet_names {
    const char *conv_in, *time1, *time2, *norm_out, *conv_out;      /* after the file's prefix */
    const char *norm1, *conv1, *time, *norm2, *conv2, *shortcut;    /* of a residual block */
    /* Of an attention block.  If qkv is NULL, query, key and value are the tensors q, k and v, and the context's key
     * and value are kc and vc.  Otherwise they are interleaved per head in qkv and kv, which are convolutions
     * [n, k, 1]. */
    const char *norm, *q, *k, *v, *qkv, *kc, *vc, *kv, *out;
    /* Write the name of a block into `at`, with the prefix and without a dot at its end. */
    void (*block)(char at[UNET_BLOCK_NAME], const struct unet_config *c, enum unet_place p, size_t l, size_t j);
};

const struct unet_names *unet_names_of(enum unet_family family);

#endif
