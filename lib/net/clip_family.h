/* clip_family.h - what each family of checkpoints calls the tensors of a CLIP
 *
 * What     One table for each family.  Recognising, renaming, checking, shapes, fingerprints and binding
 *          all read it; the networks are written once.  A new family is a new table in clip_family.c; a tensor
 *          that no family had before is a field here and a row of `roles` in clip_names.c.
 * Source   openai/CLIP @d05afc4 clip/model.py (open_clip's names are equal); transformers' CLIPModel,
 *          in which projections are stored [E, D].
 * Names    A field that ends in a dot is a prefix.  ln_*, and all names in `layer`, stand for a pair: the name
 *          with .weight and with .bias.  Other names are whole.  NULL: the family has no such tensor.
 * Canon    A tensor's canonical name is the name that the first family (OpenAI's) has in the same field, or
 *          the family's own name where the first family has no such tensor.  Fingerprints hash canonical names.
 */
#ifndef UNCLIP_CLIP_FAMILY_H
#define UNCLIP_CLIP_FAMILY_H

#include <stdbool.h>

#include "lib/layer/transformer.h"

/* A ResNet image tower.  A convolution has .weight, a BatchNorm .weight, .bias, .running_mean and
 * .running_var, a linear layer .weight and .bias. */
struct resnet_names {
    const char *prefix;                     /* before all others */
    const char *conv, *bn;                  /* then 1 to 3: of the stem, and of each block */
    const char *stage;                      /* then 1 to 4, a dot, the block's number and a dot */
    const char *shortcut, *shortcut_bn;     /* of a stage's first block */
    const char *position;                   /* whole; this and the next four: the attention pool's */
    const char *q, *k, *v, *c;
};

struct clip_family {
    const char *name;                       /* for people: "OpenAI's" */
    struct transformer_names layer;
    struct {
        const char *token, *position, *layers, *ln_final;
        const char *projection;             /* [E, D]; `transposed`: [D, E] */
    } text;
    struct {
        const char *class_token, *patch, *position, *ln_pre, *layers, *ln_post;
        const char *projection;
    } vision;
    const struct resnet_names *resnet;
    bool transposed;
    const char *inner;                      /* a prefix that some files put before the text tower's names */
    const char *linear;                     /* a text projection [E, D] in files of a `transposed` family */
};

/* All families, the canonical one first; NULL ends the list. */
extern const struct clip_family *const clip_families[];

#endif
