/* text_proj.h - the conditions of the decoder: a vector that is added to its time embedding, and context rows
 *
 * What     From an image embedding and a text (which may be the empty one):
 *            time = embedding_proj(text) + project_to_time(image)
 *            context = [4 rows made of the image embedding; LayerNorm(states W^T + b)]
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 2.1; kakaobrain/karlo @3c68a50 and
 *          diffusers' UnCLIPTextProjModel (tensor names).
 * Shapes   image [E], text [E], states [n, W] -> time [T], context [extra + n, C].
 *          Extra row j is elements j, j + extra, j + 2 extra, ... of one product: a gather with
 *          stride, NOT a contiguous piece.
 *          All numbers are f32.
 * Numbers  Within 2e-6 of the largest output of diffusers.
 * Errors   -1 with a message in e: a tensor is missing, has another shape or is not used; a size is out of range;
 *          memory is exhausted.  text_proj_run cannot fail.
 * Threads  Those of the kernels.
 */
#ifndef UNCLIP_TEXT_PROJ_H
#define UNCLIP_TEXT_PROJ_H

#include "lib/layer/bind.h"

struct text_proj_config {
    size_t embed, states;      /* E, W (equal in the models that exist) */
    size_t time, cross;        /* T, C */
    size_t extra;              /* the number of context rows made of the image embedding; 4 in Karlo */
};

struct text_proj {
    struct text_proj_config config;
    const float *no_image;     /* [E]: takes the place of the image embedding for a record without it */
    struct linear text, image, extra, states;
    struct gain norm;
};

/* Read the whole config from the tensors' shapes. */
int text_proj_config_from_weights(struct text_proj_config *config, const struct weights *ws, struct err *e);

/* Check the config, bind the tensors and pack them into keep. */
int text_proj_bind(struct text_proj *p, const struct text_proj_config *config, const struct weights *ws,
                   const struct compute *c, struct arena *keep, struct err *e);

/* Bytes of scratch for a text of n states. */
size_t text_proj_scratch(const struct text_proj *p, const struct compute *c, size_t n);

/* Compute time and context.  If image is NULL, no_image takes its place. */
void text_proj_run(const struct text_proj *p, const struct compute *c, const float *image,
                   const float *text, size_t n, const float *states, float *time, float *context,
                   void *scratch);

#endif
