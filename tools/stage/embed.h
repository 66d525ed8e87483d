/* embed.h - runs records and pictures through the towers of a CLIP, a batch at a time
 *
 * What     An item is a record and the vectors that are to be computed for it: the text side from `tokens`,
 *          the image side from a crop.  embed_plan finds out which, embed_load prepares the inputs, embed_run
 *          computes a batch, embed_set writes the fields of unclip(5).
 * Fields   text_embed [E], text_states [n, W] f32, image_embed [E], image_features [W] of a ViT, un-normalised.
 *          `model` gets the fingerprints; `params` gets what is needed to compute the vectors again.  Where a
 *          picture's vector replaces an image_embed of another program, the old vector becomes prior_embed.
 * Errors   item->err says why an item failed; the item is then left out of the run.  Functions return -1
 *          when memory is out or a model cannot be opened.  Then the program cannot go on.
 * Memory   Memory of items is taken from the arena that the caller gives, which lasts one batch.
 */
#ifndef UNCLIP_EMBED_H
#define UNCLIP_EMBED_H

#include "formats/image/overlay.h"
#include "formats/record/record.h"
#include "tools/stage/towers.h"

enum { EMBED_TEXT = 1, EMBED_IMAGE = 2 };

struct embed_options {
    const char *program;       /* name of the program in params */
    unsigned sides;            /* EMBED_TEXT | EMBED_IMAGE: what may be computed */
    bool states;               /* text_states are wanted */
    bool features;             /* image_features are wanted */
    bool exif;                 /* picture files are turned as their EXIF orientation says */
    enum dtype dtype;          /* of the vectors: DT_F32, DT_F16 */
    size_t keep;               /* side of the picture that is stored in the record; 0: no picture is stored */
    int rule;                  /* crop rule (enum prep_crop); -1: the model's */
};

struct embed_item {
    struct record r;
    const char *file;          /* the picture file; NULL where the record came from a stream */
    const struct overlay *overlay;    /* what was drawn on the picture file, or NULL */
    uint64_t number;           /* the record's number in the stream */
    unsigned todo;             /* what is to be computed: EMBED_TEXT, EMBED_IMAGE or both */
    const int *tokens;
    size_t ntokens;
    float *states, *text, *image, *features;
    const unsigned char *crop;    /* u8 [S, S, 3] */
    const unsigned char *kept;    /* u8 [keep, keep, 3], the picture that is stored; or NULL */
    struct err err;
};

/* Sets in it->todo what is to be computed for it->r, and opens the towers that are needed for that. */
int embed_plan(struct embed_item *it, const struct embed_options *o, struct towers *w, struct err *e);

/* Reads the tokens and the picture of it->r, as it->todo asks, checks them, and prepares it->tokens and it->crop. */
int embed_load(struct embed_item *it, const struct towers *w, struct arena *a, struct err *e);

/* Computes the vectors of n items. */
int embed_run(struct embed_item *it, size_t n, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e);

/* Stores in the record it->r the vectors that were computed, the fingerprint of each tower that computed one, and an
 * entry in the field params.  a is the record's own arena. */
int embed_set(struct embed_item *it, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e);

/* embed_params writes the map that embed_set adds to params into *map; `kept` says that a picture is stored, and
 * `overlay` may be NULL.
 * embed_fingerprints writes the fingerprints that text_embed (fp[0]) and image_embed (fp[1]) of r will have; r may be
 * NULL.  --skip-from compares both results with those of records that were written before. */
int embed_params(const struct embed_options *o, const struct towers *w, unsigned todo, bool kept,
                 const struct overlay *overlay, struct span *map, struct arena *a, struct err *e);
void embed_fingerprints(const struct towers *w, const struct record *r, unsigned todo, struct span fp[2]);

#endif
