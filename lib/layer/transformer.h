/* transformer.h - the pre-LN transformer that text, pictures and the diffusion prior share
 *
 * What     layers of   x += out(attention(ln1(x)));   x += proj(act(fc(ln2(x))))
 *          over several sequences at once.  Their rows lie one after the other, so that
 *          nothing is padded: sequence i owns len[i] rows of x.
 * Source   openai/CLIP @d05afc4 clip/model.py ResidualAttentionBlock; the prior's block
 *          (PriorTransformer of diffusers) is the same with other names.
 * Shapes   x [sum len, D], contiguous.
 * Savings  Only what is asked for is computed: with `row`, the last layer takes its query,
 *          its projection and its MLP for one row of each sequence.  With a cache, keys and
 *          values of earlier rows are not computed again.  Neither changes a bit of a result.
 * Numbers  Each row's bytes depend on its own sequence and the kernel only: not on the other
 *          sequences, and in a causal network not on later rows.
 * Threads  Those of the kernels; the functions themselves run in the caller.
 */
#ifndef UNCLIP_TRANSFORMER_H
#define UNCLIP_TRANSFORMER_H

#include "lib/layer/attention.h"
#include "lib/layer/bind.h"

struct transformer_config {
    size_t layers, width, heads, mlp;    /* D is a multiple of heads */
    enum act act;
    float eps;                           /* of LayerNorm */
    bool causal;
};

/* What one family calls the tensors of a layer; each has .weight and .bias.  Where q is NULL,
 * q, k and v are the rows of `fused`_weight [3 D, D] and `fused`_bias, thirds; or, where that is NULL
 * too, those of `interleaved`.weight and .bias, in which q, k and v alternate from head to head. */
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

/* Bind layers `prefix`0. to `prefix`(layers - 1).; errors are in b. */
void transformer_bind(struct transformer *t, const struct transformer_config *config,
                      const struct transformer_names *names, const char *prefix, struct bind *b);

/* Keys and values of rows that were computed before, for the sequence that goes on with them:
 * kv [layers, room, 2 D], of which `used` rows are valid in each layer.  Several sequences may
 * share one cache.  transformer_prefix fills it and raises `used`. */
struct transformer_cache {
    float *kv;
    size_t room, used;
};

/* What a run computes. */
struct transformer_run {
    size_t n;                                        /* sequences */
    const size_t *len;                               /* [n], each at least 1 */
    float *x;                                        /* in: rows; out: rows, unless `row` */
    const size_t *row;                               /* NULL, or one row of each sequence... */
    float *y;                                        /* ... whose final values go here, [n, D] */
    const struct transformer_cache *const *past;     /* NULL, or of each sequence (or NULL) */
};

/* Bytes of scratch for at most `rows` rows in all, n sequences, and `keys` keys of one. */
size_t transformer_scratch(const struct transformer *t, const struct compute *c, size_t n,
                           size_t rows, size_t keys);

void transformer_run(const struct transformer *t, const struct compute *c,
                     const struct transformer_run *r, void *scratch);

/* Run rows x [len, D] (overwritten) of one causal sequence only for the keys and values that
 * they leave in the cache, after those which are there: used + len <= room.  The last layer
 * ends at its keys and values. */
void transformer_prefix(const struct transformer *t, const struct compute *c, size_t len, float *x,
                        struct transformer_cache *cache, void *scratch);

#endif
