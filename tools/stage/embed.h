/* embed.h - records and pictures through the towers of a CLIP, a batch at a time
 *
 * What     An item is a record with what is to be computed for it: the text side from `tokens`,
 *          the image side from a crop.  embed_plan reads the record, embed_run computes a batch,
 *          embed_set writes the fields of unclip(5).
 * Fields   text_embed [E], text_states [n, W] f32, image_embed [E], image_features [W] of a ViT, un-normalised; `model` gets the
 *          fingerprints, `params` what is needed to make them again.  Where a picture's vector
 *          replaces one that another program had put there, that one becomes prior_embed.
 * Errors   item->err says why an item failed; the item is then left out of the run.  Functions return -1
 *          when memory is out or a model cannot be opened.  Then the program cannot go on.
 * Memory   What belongs to items is taken from the arena given, which lasts one batch.
 */
#ifndef UNCLIP_EMBED_H
#define UNCLIP_EMBED_H

#include "formats/record/record.h"
#include "tools/stage/towers.h"

enum { EMBED_TEXT = 1, EMBED_IMAGE = 2 };

struct embed_options {
    const char *program;       /* in params */
    unsigned sides;            /* EMBED_TEXT | EMBED_IMAGE: what may be computed */
    bool states;               /* text_states are wanted */
    bool features;             /* image_features are wanted */
    bool exif;                 /* files are turned */
    enum dtype dtype;          /* of the vectors: DT_F32, DT_F16 */
    size_t keep;               /* side of the picture that is stored, or 0 */
    int rule;                  /* crop rule instead of the model's, or -1 */
};

struct embed_item {
    struct record r;
    const char *file;          /* NULL: the record came from a stream */
    uint64_t number;           /* in the stream */
    unsigned todo;             /* EMBED_TEXT, EMBED_IMAGE */
    const int *tokens;
    size_t ntokens;
    float *states, *text, *image, *features;
    const unsigned char *crop;    /* u8 [S, S, 3] */
    const unsigned char *kept;    /* u8 [keep, keep, 3], or NULL */
    struct err err;
};

/* Find out what is to be done for it->r, as it->todo, and open the towers that it needs. */
int embed_plan(struct embed_item *it, const struct embed_options *o, struct towers *w, struct err *e);

/* Tokens, and the picture inside the record, checked and prepared. */
int embed_load(struct embed_item *it, const struct towers *w, struct arena *a, struct err *e);

/* Compute the vectors of n items. */
int embed_run(struct embed_item *it, size_t n, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e);

/* Set the fields of it->r.  a is the record's own arena. */
int embed_set(struct embed_item *it, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e);

/* The map that goes into params, and the fingerprints of text_embed and image_embed, that the
 * record will have: what --skip-from asks for.  r may be NULL. */
int embed_params(const struct embed_options *o, const struct towers *w, unsigned todo, bool kept,
                 struct span *map, struct arena *a, struct err *e);
void embed_fingerprints(const struct towers *w, const struct record *r, unsigned todo, struct span fp[2]);

#endif
