/* draw.h - candidates of picture tokens for one prompt
 *
 * What     The prompt is run once; then all candidates of a chunk advance token by token, in one pass over the weights
 *          for each token.  With guidance every candidate has a twin that sees the empty prompt, and
 *          scores = uncond + scale (cond - uncond).  Tokens can be given (a picture prompt): they are kept, and as long as
 *          no other has been drawn one candidate stands for all.
 * Numbers  One uniform number for each (seed, noise id, sample, token): a candidate does not depend on how many there are,
 *          on the chunk, or on the threads.  With a torch generator every step draws for all rows, so the chunk is all of
 *          them.  logp: the mean of ln p of the drawn tokens, p being the softmax of the (guided) scores, before
 *          temperature, top-k and top-p.
 * Memory   The caches of a chunk's candidates (draw_bytes for each), one prompt's keys and values, two where guided.
 * Errors   -1: memory; or stopped by the watch, err is empty then.
 */
#ifndef UNCLIP_DRAW_H
#define UNCLIP_DRAW_H

#include "formats/checkpoint/dalle_model.h"

struct draw {
    const struct dalle_model *m;
    const struct compute *c;
    struct token_rules rules;
    double guidance;
    const int *ids;                /* [nids] the prompt */
    size_t nids;
    const int *given;              /* [N] or NULL; -1: to be drawn */
    size_t n, chunk;               /* candidates; how many at a time */
    uint64_t seed, id;
    unsigned sample;               /* number of the first */
    struct torch_rng *torch;       /* or NULL */
    /* After each token of a chunk: [first, first + count) have `done` of their tokens.  false: stop. */
    bool (*watch)(void *ctx, const struct draw *d, size_t first, size_t count, size_t done);
    void *ctx;
    /* what comes out */
    int *tokens;                   /* [n, N] */
    double *logp;                  /* [n] */
};

/* Tokens of a picture. */
size_t draw_tokens(const struct dalle_model *m);

/* How many text ids there are. */
size_t draw_vocabulary(const struct dalle_model *m);

/* Bytes that each candidate of a chunk takes. */
size_t draw_bytes(const struct dalle_model *m, const struct compute *c, bool guided);

int draw_run(struct draw *d, struct arena scratch, struct err *e);

#endif
