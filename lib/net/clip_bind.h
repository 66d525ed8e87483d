/* clip_bind.h - what each family of checkpoints calls the tensors of a CLIP
 *
 * What     Behind clip.h.  One table of names a family; the networks are written once.
 * Source   openai/CLIP @d05afc4 clip/model.py (open_clip's are the same); transformers'
 *          CLIPModel, in which projections are stored [E, D].  The ResNet tower exists under OpenAI's names only (lib/net/resnet.c).
 */
#ifndef UNCLIP_CLIP_BIND_H
#define UNCLIP_CLIP_BIND_H

#include "lib/layer/transformer.h"
#include "lib/net/clip.h"

struct clip_names_table {
    struct transformer_names layer;
    struct {
        const char *token, *position, *layers, *ln_final;
        const char *projection;    /* [E, D]; `transposed`: [D, E] */
    } text;
    struct {
        const char *class_token, *patch, *position, *ln_pre, *layers, *ln_post;
        const char *projection;
    } vision;
    bool transposed;
};

const struct clip_names_table *clip_names_of(enum clip_names family);

/* Refuse a config whose numbers cannot be those of a network, before they are multiplied. */
int clip_check_text(const struct clip_config *c, struct err *e);
int clip_check_vision(const struct clip_config *c, struct err *e);

/* Refuse, by name, what a bound tower left: unused tensors of its own and of no tower. */
void clip_refuse_unused(struct bind *b, enum clip_names family, enum clip_tower tower);

/* A projection [E, D] without bias. */
void clip_bind_projection(struct bind *b, struct linear *l, const char *name, bool transposed,
                          size_t embed, size_t width);

#endif
