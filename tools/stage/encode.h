/* encode.h - runs one text, one picture, or a set of labels through a model's towers
 *
 * What     A program that compares records with a sentence or a picture needs the checkpoint, its tokenizer and a
 *          tower.  encode_open opens these three; the other functions run the tower on a few inputs.
 * Source   The vector of a label is the mean of its sentences' vectors, each divided by its length;
 *          the mean, too, is divided by its length (openai/CLIP @d05afc4
 *          notebooks/Prompt_Engineering_for_ImageNet.ipynb).
 * Errors   A text longer than the model's context is refused, as the reference refuses it.
 * Memory   Memory that lasts is taken from the arena `keep`; weights stay mapped.
 */
#ifndef UNCLIP_ENCODE_H
#define UNCLIP_ENCODE_H

#include "tools/stage/labels.h"
#include "tools/stage/towers.h"

enum { ENCODE_BATCH = 32 };     /* how many texts encode_labels runs through the tower at a time */

struct encoder {
    struct towers towers;
    const struct clip_model *model;    /* the open tower's model: config.scale, fingerprint */
    struct bpe *bpe;
    size_t d;
    bool joint;                        /* the checkpoint holds both towers */
};

/* Opens the tower that `want` names: MODEL_TEXT (with its tokenizer) or MODEL_VISION.  `batch` is the greatest number
 * of inputs in one run: ENCODE_BATCH if encode_labels will be called, else 1. */
int encode_open(struct encoder *n, unsigned want, size_t batch, const struct model_paths *p,
                const struct compute *c, struct arena *keep, struct err *e);

/* Opens the text tower of n->towers, which the caller has set, and its tokenizer.  encode_open calls it for MODEL_TEXT. */
int encode_open_text(struct encoder *n, struct err *e);

/* encode_text writes the vector of a text, and encode_image that of a picture file, into out [n->d].  The vector is not
 * normalised. */
int encode_text(const struct encoder *n, struct span text, float *out, struct arena scratch,
                struct err *e);
int encode_image(const struct encoder *n, const char *file, float *out, struct arena scratch,
                 struct err *e);

/* Computes the embedding of a text and the states of the text's tokens.  Sets *embed to the embedding [n->d], *len to
 * the number of tokens, and *states to the states [*len, W], where W is the tower's width. */
int encode_states(const struct encoder *n, struct span text, float **embed, float **states,
                  size_t *len, struct arena *keep, struct err *e);

/* Computes the vectors of the labels that l->name holds and sets l->d, l->v, l->model and l->scale.  Calls
 * tick(ctx, done, total) after each batch, unless `tick` is NULL. */
int encode_labels(const struct encoder *n, const struct templates *t, struct labels *l,
                  struct arena *keep, void (*tick)(void *ctx, uint64_t done, uint64_t total),
                  void *ctx, struct err *e);

#endif
