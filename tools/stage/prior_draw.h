/* prior_draw.h - draw image embeddings for texts with the prior that the checkpoint holds
 *
 * What     One interface to the diffusion prior (lib/diffusion/sampler.h) and the autoregressive prior
 *          (lib/diffusion/ar_sampler.h): the prefix of a text, the noise of a record, the candidates of several texts.
 * Groups   The diffusion prior draws all candidates at the same time.  The autoregressive prior keeps the keys and values
 *          of each candidate, so it draws at most `group` candidates at the same time, of one text or of several.
 * Numbers  A candidate does not depend on the others, nor on `group`.
 * Errors   -1 with a message in e; e is empty where the watch stopped the drawing.
 */
#ifndef UNCLIP_PRIOR_DRAW_H
#define UNCLIP_PRIOR_DRAW_H

#include "formats/checkpoint/unclip_model.h"
#include "tools/stage/condition.h"
#include "tools/stage/sample.h"

struct prior_draw {
    const struct prior_model *m;
    const struct compute *c;
    size_t steps;                       /* of the diffusion prior */
    double guidance;
    double temperature, quantile;       /* of the autoregressive prior */
    size_t group;                       /* at least 1 */
    struct transformer_cache empty;     /* the prefix of the empty text; read with a guidance above 1 */
};

/* The candidates of one text. */
struct prior_want {
    size_t n;
    struct transformer_cache prefix;
    struct sample_noise noise;
};

/* Computes the prefix of a text, with memory from a. */
int prior_draw_prefix(const struct prior_draw *d, const struct condition *c, struct transformer_cache *prefix, struct arena *a,
                      struct err *e);

/* Opens the noise of a record for n candidates. */
int prior_draw_noise(const struct prior_draw *d, const struct record *r, const struct sample *s, bool torch, uint64_t seed, size_t n,
                     struct sample_noise *z, struct err *e);

/* Writes the candidates of all texts, in the order of want, into v [N, E], N being the sum of all n. */
int prior_draw_run(const struct prior_draw *d, size_t texts, struct prior_want *const want[], float *v, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

#endif
