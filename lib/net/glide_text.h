/* glide_text.h - the text transformer inside each of GLIDE's files
 *
 * What     h_i = token_embedding[id_i] + positional_embedding[i] for the tokens of a text, and padding_embedding[i] for
 *          the places after them; a transformer without any mask over all places; context = LayerNorm(h).  The U-Net
 *          attends to `context` and adds time = transformer_proj(context of the last place) to its time embedding.
 * Source   Nichol et al. 2021, arXiv:2112.10741; openai/glide-text2im @69b5307 text2im_model.py, xf.py.
 * Shapes   ids [n], n <= L -> context [L, D], time [T]; L places (128), D = 512, T four times the U-Net's first width.
 * EASY TO GET WRONG
 *          padding_embedding takes the place of the whole sum, not of one of its terms.  Padding is attended to.  The
 *          last place is padding unless the text fills all places.  The rows of c_qkv are interleaved per head.
 * Numbers  Within 1e-6 of the largest output of the reference in f32 (tests/unit/glide.c).
 * Errors   -1 or NULL with a message in e: a tensor is missing, has another shape or is not used; a size is out of range;
 *          an id that the vocabulary does not have; memory is exhausted.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_GLIDE_TEXT_H
#define UNCLIP_GLIDE_TEXT_H

#include "lib/layer/transformer.h"

struct glide_text_config {
    size_t vocab, places, width, layers;    /* V, L, D; layers of the transformer */
    size_t head;                            /* channels of a head: 64 in all published files */
    size_t time;                            /* T */
};

struct glide_text {
    struct glide_text_config config;
    struct tensor token;                    /* [V, D] */
    const float *position, *padding;        /* [L, D] */
    struct transformer transformer;
    struct gain norm;
    struct linear time;
};

/* Read the config from the tensors' shapes.  Shapes do not tell the heads, which become 64 wide. */
int glide_text_config_from_weights(struct glide_text_config *c, const struct weights *ws, struct err *e);

int glide_text_bind(struct glide_text *t, const struct glide_text_config *c, const struct weights *ws,
                    const struct compute *k, struct arena *keep, struct err *e);

/* Compute context [L, D] and time [T] of a text of n ids.  Ids after the first L are left out.  n may be 0. */
int glide_text_run(const struct glide_text *t, const struct compute *k, const int *ids, size_t n, float *context,
                   float *time, struct arena scratch, struct err *e);

#endif
