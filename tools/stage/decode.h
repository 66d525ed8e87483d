/* decode.h - what the decoder is told for one record, and the noise that carries its own recipe
 *
 * What     The conditional branch of a record (image embedding and text), the unconditional one of a run;
 *          the timesteps, text mode and guidance that ddim-invert wrote with a noise.
 * Rule     A decoder that meets such a noise takes exactly its timesteps, no guidance and the text that the inversion
 *          had, unless options say otherwise (ddim-invert(1)).
 * Errors   Embeddings of a wrong width, no embedding at all, a noise of another side.
 */
#ifndef UNCLIP_DECODE_H
#define UNCLIP_DECODE_H

#include "formats/checkpoint/unclip_model.h"
#include "tools/stage/condition.h"

/* A branch and its memory. */
struct decode_branch {
    struct decoder_branch b;
    struct unet_context context;
};

/* image NULL: the learned "no image" embedding. */
int decode_branch(struct decode_branch *d, const struct decoder_model *m, const struct compute *k, const float *image,
                  const struct condition *text, struct arena *a, struct err *e);

/* An embedding of a record, as wide as the decoder takes it.  1, 0 absent, -1 */
int decode_embed(const struct decoder_model *m, const struct record *r, const char *field, const float **v, struct arena *a,
                 struct err *e);

/* What ddim-invert wrote about the record's noise.  `known` is false where it wrote nothing. */
struct decode_recipe {
    bool known, text;
    size_t steps;
    int timesteps[SCHED_STEPS_MAX];
};

int decode_recipe(struct decode_recipe *d, const struct record *r, size_t train_steps, struct err *e);

/* x_T from the record: 1 with *x [3, side, side], 0 absent, -1 */
int decode_noise(const struct record *r, size_t side, const float **x, struct arena *a, struct err *e);

#endif
