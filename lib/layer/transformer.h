/* transformer.h - the pre-LN transformer of the text tower, the image tower and the two priors
 *
 * What     layers of   x += out(attention(ln1(x)));   x += proj(act(fc(ln2(x))))
 *          over several sequences at once.  The rows of all sequences follow each other in x
 *          without padding; sequence i has len[i] rows.
 * Source   openai/CLIP @d05afc4 clip/model.py, ResidualAttentionBlock.  The prior's block
 *          (PriorTransformer of diffusers) differs from this block in names only.
 * Shapes   x [sum len, D], contiguous.
 * Savings  With `row`, the last layer computes its query, its projection and its MLP for one
 *          row of each sequence only.  With a cache, keys and values of earlier rows are not
 *          computed again.  `row` and a cache do not change any bit of a result.
 * Numbers  The bytes of a row depend on its own sequence and the kernel only.  In a causal network
 *          these bytes do not depend on later rows either.
 * Threads  The layers that are called split their work over c->pool.  One call at a time may use a
 *          scratch.
 */
#ifndef UNCLIP_TRANSFORMER_H
#define UNCLIP_TRANSFORMER_H

#include "lib/layer/attention.h"
#include "lib/layer/bind.h"

struct transformer_config {
    size_t layers, width, heads, mlp;    /* width is D, a multiple of heads */
    enum act act;
    float eps;                           /* of LayerNorm */
    bool causal;
};

/* The names that one family of checkpoints gives to the tensors of a layer; each has .weight and .bias.  If the name
 * `q` is NULL, the matrices of q, k and v are the thirds of `fused`_weight [3 D, D] and `fused`_bias.  If `fused` is
 * NULL too, these matrices are rows of `interleaved`.weight and .bias, in which q, k and v alternate from head to
 * head. */
struct transformer_names {
    const char *ln1, *q, *k, *v, *fused, *interleaved, *out, *ln2, *fc, *proj;
};

struct transformer_layer {
    struct gain ln1, ln2;
    struct linear q, kv, out, fc, proj;    /* kv: [2 D, D] */
};

struct transformer {
    struct transformer_config config;
    struct transformer_layer *layer;
};

/* Binds the layers, whose tensors have names that begin with `prefix`0. to `prefix`(layers - 1).  Errors are reported
 * in b. */
void transformer_bind(struct transformer *t, const struct transformer_config *config,
                      const struct transformer_names *names, const char *prefix, struct bind *b);

/* Keys and values of earlier rows, for the sequences that continue them: kv [layers, room, 2 D], of which
 * `used` rows are valid in each layer.  Several sequences may share one cache.
 * transformer_prefill appends rows to the cache and raises `used`. */
struct transformer_cache {
    float *kv;
    size_t room, used;
};

/* What a run keeps of one layer for transformer_back (transformer_back.h).  p may be NULL. */
struct transformer_state {
    float *q, *kv, *p;     /* q [m, D]; kv [rows, 2 D]; p: the attention weights [n, H, queries, keys] */
    float *mid, *u;        /* mid [m, D]: x after the attention; u [m, F]: the input of the MLP's activation */
};

/* What a run keeps of all layers.  The m of a layer's state is the number of rows that the layer computes: all rows, or
 * n rows in the last layer with `row`. */
struct transformer_keep {
    float *x;                           /* [layers, rows, D]: the input of each layer */
    struct transformer_state *state;    /* [layers]; if `again`, only one: after a run, that of the last layer */
    bool again;                         /* the backward pass computes each layer's state again */
};

/* The arguments of transformer_run. */
struct transformer_run {
    size_t n;                                        /* sequences */
    const size_t *len;                               /* [n], each at least 1 */
    float *x;                                        /* the rows, which the result replaces unless `row` is set */
    const size_t *row;                               /* NULL, or the one row of each sequence to compute */
    float *y;                                        /* with `row`: the result, [n, D] */
    const struct transformer_cache *const *past;     /* NULL, or for each sequence a cache or NULL */
    /* NULL, or what the run keeps for transformer_back.  x must then be keep->x, past must be NULL, and y receives the
     * result. */
    const struct transformer_keep *keep;
};

/* Returns the bytes of scratch for n sequences of at most `rows` rows in all, and at most `keys` keys each. */
size_t transformer_scratch(const struct transformer *t, const struct compute *c, size_t n,
                           size_t rows, size_t keys);

void transformer_run(const struct transformer *t, const struct compute *c,
                     const struct transformer_run *r, void *scratch);

/* Runs one layer of r again, from its kept input, which restores the layer's state in r->keep (transformer_back.h). */
void transformer_run_layer(const struct transformer *t, const struct compute *c, const struct transformer_run *r,
                           size_t layer, void *scratch);

/* Computes the keys and values of rows x [len, D] of one causal sequence in every layer and appends them to the cache.
 * x is overwritten; used + len <= room.  In the last layer only the keys and values are computed. */
void transformer_prefill(const struct transformer *t, const struct compute *c, size_t len, float *x,
                        struct transformer_cache *cache, void *scratch);

/* Returns the bytes of scratch for transformer_step with n sequences of at most `keys` keys each. */
size_t transformer_step_scratch(const struct transformer *t, const struct compute *c, size_t n, size_t keys);

/* Computes one more row of each of n causal sequences; x [n, D] holds the rows and receives the result.  The earlier
 * rows of sequence i are those of past[i], which sequences may share, and then those of own[i].  The keys and values of
 * the new row are appended to own[i], and own[i].used is raised by one; it must be < own[i].room before the call. */
void transformer_step(const struct transformer *t, const struct compute *c, size_t n, float *x,
                      const struct transformer_cache *const past[], struct transformer_cache own[], void *scratch);

#endif
