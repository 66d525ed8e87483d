/* draw.h - draws candidates, each the tokens of one picture, for one prompt
 *
 * What     The prompt is run once.  Then all candidates of a chunk advance token by token, in one pass over the weights
 *          for each token.  With guidance every candidate has a twin that sees the empty prompt, and
 *          scores = uncond + scale (cond - uncond).  The caller can give tokens (a picture prompt), which are kept.
 *          Given tokens at the beginning are run for one candidate, whose state is copied to the others.
 * Numbers  Each (seed, noise id, sample, token) has one uniform number, so a candidate does not depend on the number of
 *          candidates, on the chunk, or on the threads.  A torch generator draws for all candidates at every step, so
 *          with such a generator the chunk holds all candidates.  logp is the mean of ln p of the drawn tokens, where p
 *          is the softmax of the (guided) scores before temperature, top-k and top-p.
 * Memory   draw_bytes for each candidate of a chunk, and the keys and values of the prompt; with guidance also those
 *          of the empty prompt.
 * Errors   draw_run returns -1 if memory runs out, if the network gives a token no finite score, or if `watch` stops
 *          the drawing; in the last case the message in e is empty.
 */
#ifndef UNCLIP_DRAW_H
#define UNCLIP_DRAW_H

#include "formats/checkpoint/dalle_model.h"
#include "lib/diffusion/noise.h"

struct draw {
    const struct dalle_model *m;
    const struct compute *c;
    struct token_rules rules;
    double guidance;
    const int *ids;                /* [nids] the prompt */
    size_t nids;
    const int *given;              /* [N] tokens that are kept, and -1 for each token that is to be drawn; or NULL */
    size_t n, chunk;               /* number of candidates; how many of them advance together */
    struct noise_key key;          /* the key of the uniform numbers, for the first candidate */
    struct torch_rng *torch;       /* PyTorch's generator; NULL for our own */
    /* Called after each token of a chunk.  The candidates [first, first + count) then have `done` tokens, of which
     * `drawn` were drawn and the others given.  Their logp is still a sum, not a mean.  Returns false to stop
     * draw_run. */
    bool (*watch)(void *ctx, const struct draw *d, size_t first, size_t count, size_t done, size_t drawn);
    void *ctx;
    /* the results */
    int *tokens;                   /* [n, N] */
    double *logp;                  /* [n]; 0 if no token was drawn */
};

/* Returns N, the number of tokens of a picture. */
size_t draw_tokens(const struct dalle_model *m);

/* Returns the size of the text vocabulary. */
size_t draw_vocabulary(const struct dalle_model *m);

/* Returns how many bytes of memory each candidate of a chunk takes. */
size_t draw_bytes(const struct dalle_model *m, const struct compute *c, bool guided);

int draw_run(struct draw *d, struct arena scratch, struct err *e);

#endif
