/* gpt_net.h - the parts of a bound transformer, for gpt.c and gpt_bind.c only
 *
 * What     struct gpt of gpt.h with its layers, and the rule that says which keys a layer sees.
 */
#ifndef UNCLIP_GPT_NET_H
#define UNCLIP_GPT_NET_H

#include "lib/layer/bind.h"
#include "lib/layer/linear.h"
#include "lib/net/gpt.h"

struct gpt_layer {
    struct gain in, after_attention, post, after_mlp;    /* after_*: g is NULL without `sandwich` */
    struct linear qkv, out, fc, proj;
};

enum gpt_sees { GPT_ALL, GPT_ROW, GPT_COLUMN, GPT_WINDOW };

struct gpt {
    struct gpt_config c;
    struct tensor text, codes;            /* [text_vocab, width], [V, width], as they are stored */
    const float *text_pos;                /* [T or T + 1, width] */
    const float *row, *column, *place;    /* either row and column [D, width], or place [N, width]; else NULL */
    struct gpt_layer *layer;
    struct gain final, head_norm;         /* head_norm runs after final; its g is NULL if the network has only final */
    struct linear head;                   /* [V, width] */
};

static inline enum gpt_sees gpt_kind(const struct gpt_config *c, size_t layer) {
    if (!c->sparse)
        return GPT_ALL;
    if (layer % 4 == 1)
        return GPT_COLUMN;
    return layer + 1 == c->layers ? GPT_WINDOW : GPT_ROW;
}

/* Does picture position b see picture position a in a layer of that kind?  ("Masks" in gpt.h.) */
bool gpt_sees(const struct gpt_config *c, enum gpt_sees kind, size_t a, size_t b);

#endif
