/* vq_yaml.h - the yaml next to a VQGAN's checkpoint
 *
 * What     The tensors of a discrete autoencoder tell everything except the size of the pictures that it was trained
 *          on.  The yaml tells that size.  It also repeats sizes that the tensors tell; vq_model.c compares them.
 * Source   CompVis/taming-transformers 3ba01b2 configs (model.params, or first_stage_config within it);
 *          ai-forever/rudalle-utils' config.yml, which has the keys of taming's; kakaobrain/minDALL-E e548007 configs
 *          (stage1).
 * Errors   vq_yaml_read returns -1 and the reason for text that is not YAML, a value of the wrong type, or an
 *          autoencoder that is not supported.  A yaml without a discrete autoencoder is not an error: vq_yaml_read
 *          returns 0.
 * Memory   No memory stays allocated.
 */
#ifndef UNCLIP_VQ_YAML_H
#define UNCLIP_VQ_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/* A number is 0 if the yaml does not say it. */
struct vq_yaml {
    size_t resolution;      /* the side of the pictures in pixels */
    size_t codes, width;    /* n_embed, embed_dim */
    size_t levels;          /* the length of ch_mult */
    int gumbel;             /* 1: a GumbelVQ; 0: a VQModel; -1: the yaml does not say it */
};

/* Reads a yaml into *v.  Returns 1, or 0 if the yaml does not describe a discrete autoencoder, or -1 on an error. */
int vq_yaml_read(struct vq_yaml *v, const void *p, size_t n, struct err *e);

#endif
