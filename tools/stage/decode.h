/* decode.h - the decoder's inputs for one record: its branches, its timesteps, and a noise that ddim-invert wrote
 *
 * What     Builds the conditional branch of a record (image embedding and text; GLIDE: text) and the unconditional branch
 *          of a run.
 *          Reads a record's noise, and the timesteps and text mode that ddim-invert wrote for it.
 * Rule     From such a noise, a decoder takes exactly the noise's timesteps, no guidance and the text that the
 *          inversion had, unless options say otherwise (ddim-invert(1)).
 * Errors   Embeddings of a wrong width, a missing embedding, a noise of another side.
 */
#ifndef UNCLIP_DECODE_H
#define UNCLIP_DECODE_H

#include "formats/checkpoint/unclip_model.h"
#include "tools/stage/condition.h"

/* A branch of the decoder, and the context that the branch points to. */
struct decode_branch {
    struct decoder_branch b;
    struct unet_context context;
};

/* Computes the branch *d from an image embedding and a text.  If image is NULL, the learned "no image" embedding is
 * used. */
int decode_branch(struct decode_branch *d, const struct decoder_model *m, const struct compute *k, const float *image,
                  const struct condition *text, struct arena *a, struct err *e);

/* Computes the branch *d of a text for a GLIDE network, with the tokenizer and the transformer of the network's file.
 * *cut, unless it is NULL, tells whether the text has more tokens than the transformer takes, which are left out. */
int decode_text(struct decode_branch *d, const struct glide_side *g, const struct unet *u, const struct compute *k,
                struct span text, bool *cut, struct arena *a, struct err *e);

/* Reads the text of the first record in the stream `file`, or sets *text to "" if file is NULL: what GLIDE's
 * unconditional branch is told. */
int decode_uncond_text(const char *file, struct span *text, struct arena *keep, struct err *e);

/* Writes the timesteps of `spacing` (spacing.h), or, if it is NULL, of `steps` steps as the model spaces them, into
 * t [train_steps] and their number into *n. */
int decode_timesteps(const struct sched *s, const char *spacing, size_t steps, int *t, size_t *n, struct err *e);

/* Reads the embedding in `field` of r into *v.  Returns 1; 0 where it is absent; -1, also where the decoder takes
 * another width. */
int decode_embed(const struct decoder_model *m, const struct record *r, const char *field, const float **v, struct arena *a,
                 struct err *e);

/* What ddim-invert wrote about the record's noise.  `known` is false where the record has no noise or ddim-invert
 * wrote no timesteps.  `text` is true where the inversion used the text. */
struct decode_recipe {
    bool known, text;
    size_t steps;
    int timesteps[SCHED_STEPS_MAX];
};

int decode_recipe(struct decode_recipe *d, const struct record *r, size_t train_steps, struct err *e);

/* Reads r's `noise`, x_T, into *x [3, side, side].  Returns 1; 0 where it is absent; -1. */
int decode_noise(const struct record *r, size_t side, const float **x, struct arena *a, struct err *e);

#endif
