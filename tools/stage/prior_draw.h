/* prior_draw.h - draws image embeddings for texts with the prior that the checkpoint holds
 *
 * What     One interface to the diffusion prior (lib/diffusion/sampler.h) and the autoregressive prior
 *          (lib/diffusion/ar_sampler.h).  It computes the prefix of a text, opens the noise of a record, and draws the
 *          candidates, which are image embeddings, of several texts.
 * Groups   The diffusion prior draws all candidates at the same time.  The autoregressive prior keeps the keys and values
 *          of each candidate, so it draws at most `group` candidates at the same time, of one text or of several.
 * Numbers  A candidate does not depend on the other candidates, nor on `group`.
 * Errors   A function returns -1 with a message in e.  The message is empty if the watch stopped the drawing.
 */
#ifndef UNCLIP_PRIOR_DRAW_H
#define UNCLIP_PRIOR_DRAW_H

#include "formats/checkpoint/unclip_model.h"
#include "tools/stage/condition.h"
#include "tools/stage/sample.h"

struct prior_draw {
    const struct prior_model *m;
    const struct compute *c;
    size_t steps;                       /* number of steps; only for the diffusion prior */
    double guidance;
    double temperature, quantile;       /* only for the autoregressive prior */
    size_t group;                       /* at least 1 */
    struct transformer_cache empty;     /* the prefix of the empty text; needed if guidance is above 1 */
};

/* The candidates that are wanted for one text: their number, the text's prefix, and their noise. */
struct prior_want {
    size_t n;
    struct transformer_cache prefix;
    struct sample_noise noise;
};

/* Computes the prefix of a text into *prefix, with memory from the arena a. */
int prior_draw_prefix(const struct prior_draw *d, const struct condition *c, struct transformer_cache *prefix, struct arena *a,
                      struct err *e);

/* Opens the noise of a record for n candidates. */
int prior_draw_noise(const struct prior_draw *d, const struct record *r, const struct sample *s, bool torch, uint64_t seed, size_t n,
                     struct sample_noise *z, struct err *e);

/* Draws the candidates of all `texts` texts and writes them, in the order of `want`, into v [N, E], where N is the sum
 * of all want[i]->n. */
int prior_draw_run(const struct prior_draw *d, size_t texts, struct prior_want *const want[], float *v, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

#endif
