/* sample.h - several results of one record, and the noise that each result is drawn from
 *
 * What     The noise of a sampler depends on the record's noise_id, else root, else id, and on the number of
 *          the sample.  -n N turns one record R into the records R#0 .. R#N-1 with `root` and `sample`.  Samples of
 *          such a record are on a second level: their `sample` has two numbers.  A noise_id is for records that are to
 *          have the same noise.  The numbers of such a record are not those of `sample` but those of `noise_sample`,
 *          which embed-mix copies from the record of which it makes frames.
 * Numbers  In the noise's counter, the number of a sample is s[0] + 1024 s[1], where s is the array `sample`.  So
 *          sample 0 of any N equals the record that -n 1 would have made, at each level.
 * Torch    With --rng torch each root counts as one call of a PyTorch pipeline with B samples.  Each draw of the
 *          generator is [B, each], and this record's values begin at row * each.  `params` hold B and the number of
 *          outputs that the generator has given so far.
 * Errors   More than two levels of samples, numbers of 1024 and more.
 */
#ifndef UNCLIP_SAMPLE_H
#define UNCLIP_SAMPLE_H

#include "formats/record/record.h"
#include "lib/diffusion/ar_sampler.h"
#include "lib/diffusion/noise.h"
#include "lib/diffusion/noise_source.h"
#include "lib/diffusion/torch_rng.h"

enum { SAMPLE_MAX = 1024 };    /* the greatest N of -n N, at each level */

/* The record's place among the samples of its root, and the hash of its noise id.  `at` holds the numbers in the
 * record's field `sample`, of which there are `levels`. */
struct sample {
    uint64_t noise;            /* XXH64 of the noise id */
    bool shared;               /* the record has a noise_id */
    int64_t noise_at[2];       /* the numbers that count for the noise: `at`, or with noise_id those of noise_sample */
    size_t noise_levels;
    struct span root;
    int64_t at[2];
    size_t levels;
};

int sample_of(struct sample *s, const struct record *r, struct arena *a, struct err *e);

/* Gives r, which is made of the record of s, the noise of this record at all stages that follow. */
int sample_share_noise(struct record *r, const struct sample *s, struct err *e);

/* Makes r sample i of n: sets r's id, root and sample.  If n is 1, r is not changed. */
int sample_child(struct record *r, const struct sample *s, size_t i, size_t n, struct err *e);

/* Returns the key of our own generator's noise for sample i of the record of s, at a stage of the pipeline. */
struct noise_key sample_key(const struct sample *s, uint64_t seed, enum noise_stage stage, size_t i);

/* A PyTorch generator, in the state in which the earlier programs of the pipeline left it, and the rows of each draw
 * that belong to this record. */
struct torch_rows {
    struct torch_rng g;
    size_t row, n, rows;       /* the rows row .. row + n - 1 of the `rows` rows belong to this record */
    size_t times;              /* a draw has rows * times rows; 2 if both branches of the guidance draw, else 1 */
};

/* Opens the generator for a program that makes n samples of r.  Reads `rng_used` and `rng_rows` from the last entry of
 * r's params that has them. */
int torch_rows_open(struct torch_rows *t, const struct record *r, const struct sample *s, uint64_t seed, size_t n,
                    struct err *e);

/* The noise of one input for the samplers, from our own generator or from PyTorch's. */
struct sample_noise {
    struct noise_key key;
    struct torch_rows torch;
    struct noise_source source;
    bool is_torch;
    uint64_t used;             /* how many outputs PyTorch's generator will have given when this program is done */
};

/* Opens the noise of r for n samples.  The sampler will draw `draws` times, each time `each` values for each sample. */
int sample_noise_open(struct sample_noise *z, const struct record *r, const struct sample *s, bool torch, uint64_t seed,
                      enum noise_stage stage, size_t n, size_t draws, size_t each, struct err *e);

/* Makes each draw twice as long, as glide_text2im draws with guidance: first the noise for the conditional rows, then
 * the noise for the unconditional rows, which is not used.  `draws` and `each` are those of sample_noise_open. */
void sample_noise_double(struct sample_noise *z, size_t draws, size_t each);

/* Opens the generator, our own or PyTorch's, that draws tokens for n samples of r.  The sampler will draw `draws`
 * tokens for each sample, each token out of v. */
int sample_tokens_open(struct sample_noise *z, const struct record *r, const struct sample *s, bool torch, uint64_t seed, size_t n,
                       size_t draws, size_t v, struct err *e);

/* sample_tokens returns a source of tokens for the samples [first, first + n) of z.  *state holds the state of the
 * source. */
struct token_rows {
    struct noise_key key;
    struct torch_rows torch;
};
struct token_source sample_tokens(const struct sample_noise *z, struct token_rows *state, size_t first, size_t n);

/* Writes the pairs rng_used and rng_rows into the params map m if the noise comes from PyTorch's generator. */
void sample_noise_params(const struct sample_noise *z, struct mp *m);

/* The function `draw` of a struct noise_source, whose ctx is a struct torch_rows. */
void noise_torch_rows(void *ctx, unsigned step, size_t n, size_t each, float *out);

#endif
