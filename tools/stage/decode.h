/* decode.h - the decoder's inputs for one record: its branches, its timesteps, and a noise that ddim-invert wrote
 *
 * What     Builds the two branches of the guidance: the conditional branch of a record, from its image embedding and
 *          text (with GLIDE, from its text alone), and the unconditional branch of a run.
 *          Reads a record's noise, and what ddim-invert wrote about this noise: its timesteps, and whether the text was
 *          used.
 * Rule     If ddim-invert wrote the noise, a decoder takes exactly the noise's timesteps, no guidance, and the text
 *          only if the inversion used the text, unless options say otherwise (ddim-invert(1)).
 * Errors   Embeddings of a wrong width, a missing embedding, a noise of another side.
 */
#ifndef UNCLIP_DECODE_H
#define UNCLIP_DECODE_H

#include "formats/checkpoint/unclip_model.h"
#include "tools/stage/condition.h"

/* One branch of the decoder's guidance, and the context that `b` points to. */
struct decode_branch {
    struct decoder_branch b;
    struct unet_context context;
};

/* Computes the branch *d from an image embedding and a text.  If `image` is NULL, the learned "no image" embedding is
 * used. */
int decode_branch(struct decode_branch *d, const struct decoder_model *m, const struct compute *k, const float *image,
                  const struct condition *text, struct arena *a, struct err *e);

/* Computes the branch *d of a text for a GLIDE network, with the tokenizer and the transformer of the network's file.
 * The tokens after the last one that the transformer takes are left out; unless `cut` is NULL, *cut tells whether there
 * were such tokens. */
int decode_text(struct decode_branch *d, const struct glide_side *g, const struct unet *u, const struct compute *k,
                struct span text, bool *cut, struct arena *a, struct err *e);

/* Sets *text to the text of GLIDE's unconditional branch: that of the first record in the stream `file`, or "" if
 * `file` is NULL. */
int decode_uncond_text(const char *file, struct span *text, struct arena *keep, struct err *e);

/* Writes timesteps into t [train_steps] and their number into *n.  They are those of `spacing` (spacing.h), or, if
 * `spacing` is NULL, `steps` timesteps as the model spaces them. */
int decode_timesteps(const struct sched *s, const char *spacing, size_t steps, int *t, size_t *n, struct err *e);

/* Reads the embedding in `field` of r into *v.  Returns 1, or 0 if r does not have the field, or -1 for an error.  It
 * is an error if the embedding's width is not the one that the decoder takes. */
int decode_embed(const struct decoder_model *m, const struct record *r, const char *field, const float **v, struct arena *a,
                 struct err *e);

/* What ddim-invert wrote about the record's noise.  `known` is false if the record has no noise or ddim-invert wrote no
 * timesteps.  `text` is true if the inversion used the record's text.  If not, it used the text `other`, of which p is
 * NULL if it is unknown, and `file` is the file of --uncond that held it, or empty for the empty text. */
struct decode_recipe {
    bool known, text;
    struct span other, file;
    size_t steps;
    int timesteps[SCHED_STEPS_MAX];
};

int decode_recipe(struct decode_recipe *d, const struct record *r, size_t train_steps, struct err *e);

/* Reads r's field `noise`, which is x_T, into *x [3, side, side].  Returns 1, or 0 if r does not have the field, or -1
 * for an error. */
int decode_noise(const struct record *r, size_t side, const float **x, struct arena *a, struct err *e);

#endif
