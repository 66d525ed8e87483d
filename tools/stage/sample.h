/* sample.h - several results of one record, and the noise that each is drawn from
 *
 * What     A record's next sampler takes the noise of its noise_id, else root, else id, and of the number of
 *          the sample.  -n N makes of one record R the records R#0 .. R#N-1 with `root` and `sample`.
 * Numbers  The number of a sample in the noise's counter is s[0] + 1024 s[1] of its array `sample`, so that
 *          sample 0 of any N is the record that -n 1 would have made, at each level.
 * Torch    With --rng torch each root is one pipeline call of B samples: every draw is [B, ..] and this
 *          record's rows lie at row * each in it.  `params` carry the outputs used so far and B.
 * Errors   More than two levels of samples, numbers of 1024 and more.
 */
#ifndef UNCLIP_SAMPLE_H
#define UNCLIP_SAMPLE_H

#include "formats/record/record.h"
#include "lib/diffusion/noise.h"
#include "lib/diffusion/noise_source.h"
#include "lib/diffusion/torch_rng.h"

enum { SAMPLE_MAX = 1024 };    /* of -n, and of each level */

/* The record's place among the samples of its root, and the key of its noise. */
struct sample {
    uint64_t noise;            /* XXH64 of the noise id */
    struct span root;
    int64_t at[2];
    size_t levels;
};

int sample_of(struct sample *s, const struct record *r, struct arena *a, struct err *e);

/* Make r the i-th of n: its id, root and sample.  n = 1 changes nothing. */
int sample_child(struct record *r, const struct sample *s, size_t i, size_t n, struct err *e);

/* The key of our own noise for this record's sample i of n at a stage. */
struct noise_key sample_key(const struct sample *s, uint64_t seed, enum noise_stage stage, size_t i);

/* A PyTorch generator at the place where the programs before left it, and the rows that are ours. */
struct torch_rows {
    struct torch_rng g;
    size_t row, n, rows;       /* rows row .. row + n - 1 of `rows` */
};

/* n: what this program makes of the record.  Reads `rng_used` and `rng_rows` of the last params that
 * have them. */
int torch_rows_open(struct torch_rows *t, const struct record *r, const struct sample *s, uint64_t seed, size_t n,
                    struct err *e);

/* One input's noise for the samplers, from our generator or from PyTorch's. */
struct sample_noise {
    struct noise_key key;
    struct torch_rows torch;
    struct noise_source source;
    bool is_torch;
    uint64_t used;             /* by torch's generator when this program is done */
};

/* draws: how many times the sampler will draw `each` values for each sample. */
int sample_noise_open(struct sample_noise *z, const struct record *r, const struct sample *s, bool torch, uint64_t seed,
                      enum noise_stage stage, size_t n, size_t draws, size_t each, struct err *e);

/* Where PyTorch's generator drew, write the pairs rng_used and rng_rows of a params map. */
void sample_noise_params(const struct sample_noise *z, struct mp *m);

/* draw of a noise_source with ctx a struct torch_rows */
void noise_torch_rows(void *ctx, unsigned step, size_t n, size_t each, float *out);

#endif
