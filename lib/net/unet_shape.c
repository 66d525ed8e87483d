/* Read a U-Net's config from the shapes of its tensors, because original files have no config. */
#include <stdio.h>

#include "lib/net/unet_names.h"

struct reading {
    const struct weights *ws;
    const struct unet_names *names;
    struct unet_config *c;
    char at[2 * UNET_BLOCK_NAME];    /* the tensor looked at last */
};

/* Finds the tensor whose name is the string `where`, then `name`, then ".weight".  Returns NULL if the file has no such
 * tensor, or if it does not have nd axes. */
static const struct tensor *find(struct reading *r, const char *where, const char *name, int nd) {
    const struct weight *w;

    snprintf(r->at, sizeof r->at, "%s%s.weight", where, name);
    w = weights_find(r->ws, r->at);
    return w && w->t.nd == nd ? &w->t : NULL;
}

static const struct tensor *in_block(struct reading *r, enum unet_place p, size_t l, size_t j, const char *name, int nd) {
    char where[UNET_BLOCK_NAME + 1];
    size_t n = 0;

    r->names->block(where, r->c, p, l, j);
    while (where[n])
        n++;
    where[n] = '.', where[n + 1] = 0;
    return find(r, where, name, nd);
}

/* Count the residual blocks on the way down, including those that halve.  While layers is 0, level n names block n. */
static size_t count_blocks(struct reading *r) {
    size_t n = 0;

    r->c->layers = 0;
    while (in_block(r, DOWN_RES, n, 0, r->names->conv1, 4))
        n++;
    return n;
}

/* Returns the number of blocks in a level.  On the way up, the first block that doubles is block `layers` of the lowest
 * level, so numbers are tried until the tensor of such a block is found. */
static size_t count_layers(struct reading *r, size_t blocks) {
    struct unet_config *c = r->c;

    c->levels = 1;
    for (c->layers = 0; c->layers < blocks; c->layers++)
        for (int attention = 0; attention < 2; attention++) {
            c->attention[0] = attention;
            if (in_block(r, TWICE, 0, 0, r->names->conv1, 4))
                return c->layers;
        }
    return blocks;    /* a network of one level has no block that doubles */
}

/* Is there attention at this place?  One tensor shows it: if others are missing, unet_bind says so. */
static bool attends(struct reading *r, enum unet_place p, size_t l) {
    return in_block(r, p, l, 0, r->names->norm, 1) || in_block(r, p, l, 0, r->names->qkv, 3);
}

int unet_config_from_weights(struct unet_config *c, const struct weights *ws, const char *prefix, struct err *e) {
    struct reading r = {.ws = ws, .names = unet_names_of(UNET_ORIGINAL), .c = c};
    const struct tensor *t;
    size_t blocks;

    *c = (struct unet_config){.family = UNET_ORIGINAL, .prefix = prefix, .groups = 32, .eps = 1e-5f,
                              .head = 64, .mid_head = 64};
    t = find(&r, prefix, r.names->conv_in, 4);
    if (!t)
        return err_set(e, "tensor %.100s is missing", r.at);
    c->in = t->shape[1];
    blocks = count_blocks(&r);
    c->layers = count_layers(&r, blocks);
    c->levels = (blocks + 1) / (c->layers + 1);
    c->attention[0] = false;
    if (!c->layers || c->levels < 1 || c->levels > UNET_LEVELS || (blocks + 1) % (c->layers + 1))
        return err_set(e, "%zu input blocks cannot be divided into levels of %zu", blocks, c->layers);
    for (size_t l = 0; l < c->levels; l++) {
        t = in_block(&r, DOWN_RES, l, 0, r.names->conv2, 4);
        if (!t)
            return err_set(e, "tensor %.100s is missing", r.at);
        c->width[l] = t->shape[0];
        c->attention[l] = attends(&r, DOWN_ATT, l);
    }
    c->mid_attention = attends(&r, MID_ATT, 0);
    t = in_block(&r, MID_ATT, 0, 0, r.names->kv, 3);
    c->context = t ? t->shape[1] : 0;
    t = in_block(&r, DOWN_RES, 0, 0, r.names->time, 2);
    c->film = t && t->shape[0] == 2 * c->width[0];
    t = find(&r, prefix, r.names->conv_out, 4);
    if (!t)
        return err_set(e, "tensor %.100s is missing", r.at);
    c->out = t->shape[0];
    return 0;
}
