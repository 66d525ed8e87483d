/* vq_yaml.h - the yaml next to a VQGAN's checkpoint
 *
 * What     The tensors of a discrete autoencoder say everything except the size of the pictures that it was trained on.
 *          The yaml says that, and what it says twice must agree with the tensors.
 * Source   CompVis/taming-transformers 3ba01b2 configs (model.params, or first_stage_config within it);
 *          ai-forever/rudalle-utils' config.yml, the same; kakaobrain/minDALL-E e548007 configs (stage1).
 * Errors   A yaml of something else gives 0: it is passed over.
 */
#ifndef UNCLIP_VQ_YAML_H
#define UNCLIP_VQ_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/* 0 where the yaml does not say. */
struct vq_yaml {
    size_t resolution;
    size_t codes, width;    /* n_embed, embed_dim */
    size_t levels;          /* of ch_mult */
    int gumbel;             /* 1, 0, or -1: not known */
};

/* 1, 0 when it describes no discrete autoencoder, -1. */
int vq_yaml_read(struct vq_yaml *v, const void *p, size_t n, struct err *e);

#endif
