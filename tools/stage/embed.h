/* embed.h - runs records and pictures through the towers of a CLIP, a batch at a time
 *
 * What     An item is a record and the vectors that are to be computed for it: those of the text from `tokens`, those
 *          of the picture from a crop.  embed_plan finds out which vectors are to be computed, embed_load prepares the
 *          inputs, embed_run computes a batch, embed_set writes the fields of unclip(5).
 * Fields   text_embed [E], text_states [n, W] f32, image_embed [E], image_features [W] of a ViT.  The vectors are not
 *          normalised.  `model` gets the fingerprints; `params` gets what is needed to compute the vectors again.  If
 *          the record has the image_embed from which the picture was made, that vector is renamed to prior_embed.
 * Errors   item->err says why an item failed; the item is then left out of the run.  Functions return -1 if memory
 *          runs out or a model cannot be opened.  Then the program cannot go on.
 * Memory   Items take their memory from the caller's arena, which lasts one batch.
 */
#ifndef UNCLIP_EMBED_H
#define UNCLIP_EMBED_H

#include "formats/image/image_queue.h"
#include "formats/record/record.h"
#include "tools/stage/towers.h"

enum { EMBED_TEXT = 1, EMBED_IMAGE = 2 };

struct embed_options {
    const char *program;       /* name of the program in params */
    unsigned sides;            /* EMBED_TEXT | EMBED_IMAGE: what may be computed */
    bool states;               /* text_states are wanted */
    bool features;             /* image_features are wanted */
    bool exif;                 /* picture files are turned as their EXIF orientation says */
    enum dtype dtype;          /* type of the vectors: DT_F32 or DT_F16 */
    size_t keep;               /* side of the picture that is stored in the record; 0: no picture is stored */
    int rule;                  /* crop rule (enum prep_crop); -1: that of the model */
};

struct embed_item {
    struct record r;
    const char *file;          /* the picture file; NULL if the record came from a stream */
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

/* Sets how a queue of picture files crops each picture: q->prep makes the input of the tower and, if o->keep is not 0,
 * q->keep makes the picture that is stored in the record. */
void embed_crops(const struct embed_options *o, const struct towers *w, struct image_queue_options *q);

/* Sets it->todo to what is to be computed for it->r, and opens the towers that this needs. */
int embed_plan(struct embed_item *it, const struct embed_options *o, struct towers *w, struct err *e);

/* Reads and checks the tokens and the picture of it->r, those that it->todo needs, and prepares it->tokens and
 * it->crop. */
int embed_load(struct embed_item *it, const struct towers *w, struct arena *a, struct err *e);

/* Computes the vectors of n items. */
int embed_run(struct embed_item *it, size_t n, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e);

/* Stores in the record it->r the vectors that were computed, the fingerprints of the towers that computed them, and an
 * entry in the field params.  The arena a is the record's own. */
int embed_set(struct embed_item *it, const struct embed_options *o, const struct towers *w,
              struct arena *a, struct err *e);

/* embed_params sets *map to the map that embed_set adds to params.  `kept` says whether a picture is stored; `overlay`
 * may be NULL.
 * embed_fingerprints sets fp[0] and fp[1] to the fingerprints that text_embed and image_embed of r will have; r may be
 * NULL.  With --skip-from, the map and the fingerprints are compared with those of records that were written before. */
int embed_params(const struct embed_options *o, const struct towers *w, unsigned todo, bool kept,
                 const struct overlay *overlay, struct span *map, struct arena *a, struct err *e);
void embed_fingerprints(const struct towers *w, const struct record *r, unsigned todo, struct span fp[2]);

#endif
