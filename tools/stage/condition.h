/* condition.h - the text that a prior or decoder is conditioned on
 *
 * What     text_embed and text_states of a record, or of the empty prompt, which guidance needs.  For the empty prompt
 *          they are read from the record in --uncond FILE (a negative prompt); without that file, the model's own
 *          text tower encodes "".
 * Shapes   embed [D]; states [n, W], the valid tokens only.
 * Errors   A text embedding without states, states that are not a finite [n, W] matrix, widths that the model does
 *          not take.
 */
#ifndef UNCLIP_CONDITION_H
#define UNCLIP_CONDITION_H

#include "formats/checkpoint/model.h"
#include "formats/record/record.h"
#include "tools/stage/origin.h"

struct condition {
    const float *embed, *states;
    size_t d, n, w;
    struct origin_mark from;    /* who made the embedding */
};

/* Reads r's text_embed and text_states into *c.  Returns 1; 0 where r has no text_embed (an image variation); -1. */
int condition_of(struct condition *c, const struct record *r, struct arena *a, struct err *e);

/* Fills *c with the empty prompt: from the first record of the stream `uncond`, or where that is NULL, from the text
 * tower of the model at p. */
int condition_empty(struct condition *c, const char *uncond, const struct model_paths *p, const struct compute *k,
                    struct arena *keep, struct err *e);

/* Returns 0 if the embedding has d elements and there are at most `most` states of w elements, else -1. */
int condition_fits(const struct condition *c, size_t d, size_t w, size_t most, struct err *e);

#endif
