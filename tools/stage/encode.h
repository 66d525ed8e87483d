/* encode.h - one text, one picture, or a set of labels, through a model's towers
 *
 * What     A program that compares records with a sentence or a picture needs the checkpoint, its
 *          tokenizer and a tower.  They are opened together here, and run on a few inputs.
 * Source   The vector of a label is the mean of its sentences' vectors, each divided by its length;
 *          the mean, too, is divided by its length (openai/CLIP @d05afc4
 *          notebooks/Prompt_Engineering_for_ImageNet.ipynb).
 * Errors   A text longer than the model's context is refused, as the reference does.
 * Memory   What stays is taken from `keep`; weights stay mapped.
 */
#ifndef UNCLIP_ENCODE_H
#define UNCLIP_ENCODE_H

#include "tools/stage/labels.h"
#include "tools/stage/towers.h"

enum { ENCODE_BATCH = 32 };     /* texts in one run of the tower */

struct encoder {
    struct towers towers;
    const struct clip_model *model;    /* of the tower: config.scale, fingerprint */
    struct bpe *bpe;
    size_t d;
    bool joint;                        /* the checkpoint holds both towers */
};

/* want: MODEL_TEXT (with its tokenizer) or MODEL_VISION.  batch: inputs in one run, at most; ENCODE_BATCH for labels,
 * else 1. */
int encode_open(struct encoder *n, unsigned want, size_t batch, const struct model_paths *p,
                const struct compute *c, struct arena *keep, struct err *e);

/* out [n->d], not normalised */
int encode_text(const struct encoder *n, struct span text, float *out, struct arena scratch,
                struct err *e);
int encode_image(const struct encoder *n, const char *file, float *out, struct arena scratch,
                 struct err *e);

/* A text's embedding [n->d] and the states [*len, W] of its tokens, W the tower's width. */
int encode_states(const struct encoder *n, struct span text, float **embed, float **states,
                  size_t *len, struct arena *keep, struct err *e);

/* Fill l's vectors, from its names: d, v, model and scale.  tick(ctx, done, total), where
 * given, is called now and then. */
int encode_labels(const struct encoder *n, const struct templates *t, struct labels *l,
                  struct arena *keep, void (*tick)(void *ctx, uint64_t done, uint64_t total),
                  void *ctx, struct err *e);

#endif
