/* clip_family.h - what each family of checkpoints calls the tensors of a CLIP
 *
 * What     One table for each family.  The code that recognises a checkpoint, renames and checks its tensors, reads its
 *          shapes, computes its fingerprint and binds it reads this table, so each network is written once.  A new
 *          family needs a new table in clip_family.c.  A tensor that no family had before needs a field here and a row
 *          of `roles` in clip_names.c.
 * Source   openai/CLIP @d05afc4 clip/model.py (open_clip has the same names); transformers' CLIPModel,
 *          in which projections are stored [E, D].
 * Names    A field that ends in a dot is a prefix.  ln_* and all names in `layer` stand for two tensors, NAME.weight
 *          and NAME.bias.  All other names are complete.  NULL means that the family has no such tensor.
 * Canon    A tensor's canonical name is the name that the first family (OpenAI's) has in the same field.  If the first
 *          family has no such tensor, the canonical name is the family's own name.  Fingerprints hash canonical names.
 */
#ifndef UNCLIP_CLIP_FAMILY_H
#define UNCLIP_CLIP_FAMILY_H

#include <stdbool.h>

#include "lib/layer/transformer.h"

/* The names of a ResNet image tower.  A convolution has NAME.weight.  A BatchNorm has NAME.weight, .bias, .running_mean
 * and .running_var.  A linear layer has NAME.weight and .bias. */
struct resnet_names {
    const char *prefix;                     /* in front of all names below */
    const char *conv, *bn;                  /* of the stem and of each block; a number 1 to 3 follows */
    const char *stage;                      /* the stage's number, 1 to 4, a dot, the block's number and a dot follow */
    const char *shortcut, *shortcut_bn;     /* in the first block of each stage */
    const char *position;                   /* of the attention pool, as the four below; a complete name */
    const char *q, *k, *v, *c;
};

struct clip_family {
    const char *name;                       /* for messages: "OpenAI's" */
    struct transformer_names layer;
    struct {
        const char *token, *position, *layers, *ln_final;
        const char *projection;             /* [E, D], or [D, E] with `transposed` */
    } text;
    struct {
        const char *class_token, *patch, *position, *ln_pre, *layers, *ln_post;
        const char *projection;
    } vision;
    const struct resnet_names *resnet;
    bool transposed;                        /* both projections are stored [D, E] */
    const char *inner;                      /* a prefix that some files put before the text tower's names */
    const char *linear;                     /* what some files of a `transposed` family call a text projection [E, D] */
};

/* All families, the canonical one first; NULL ends the list. */
extern const struct clip_family *const clip_families[];

#endif
