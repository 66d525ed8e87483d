/* condition.h - the text that a prior or decoder is conditioned on
 *
 * What     A condition is the text_embed and the text_states of a record, or those of the empty prompt, which guidance
 *          needs.  With --uncond FILE, the record in FILE (a negative prompt) takes the place of the empty prompt.
 *          Without that option, the model's own text tower encodes "".
 * Shapes   embed [D]; states [n, W], only those of valid tokens.
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
    struct origin_mark from;    /* which CLIP made the embedding */
    struct span text;           /* the text itself; p is NULL if it is unknown */
};

/* Reads r's text_embed and text_states into *c.  Returns 1, or 0 if r has no text_embed (as for a variation of an
 * image), or -1 for an error. */
int condition_of(struct condition *c, const struct record *r, struct arena *a, struct err *e);

/* Fills *c with the empty prompt: with the first record of the stream `uncond`, or, if `uncond` is NULL, with what the
 * text tower of the model at the paths p computes for "". */
int condition_empty(struct condition *c, const char *uncond, const struct model_paths *p, const struct compute *k,
                    struct arena *keep, struct err *e);

/* Returns 0 if the embedding of c has d elements and c has at most `most` states of w elements, else -1. */
int condition_fits(const struct condition *c, size_t d, size_t w, size_t most, struct err *e);

#endif
