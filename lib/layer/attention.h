/* attention.h - softmax(scale Q K^T) V, for many sequences and heads at once
 *
 * What     Computes multi-head attention between rows that the caller has projected.  The keys of a sequence
 *          come in up to two runs of rows: first the keys of earlier rows (a cached prefix, or a text context
 *          that several samples share), then the keys of the sequence itself.
 * Source   Vaswani et al. 2017, arXiv:1706.03762.  The two runs serve the cached prefix of the
 *          prior and the context keys of the U-Net (Nichol et al. 2021, arXiv:2112.10741).
 * Shapes   q [nq, H * d], k and v [n, H * d], o [nq, H * d], each with a row stride in elements;
 *          head h is columns [h * d, (h + 1) * d).  Each query sees at least one key.
 * Aliasing o may be q: each row of o replaces the row of q that it came from.  o may not be k or v.
 * Numbers  bf16 kernels round queries, keys, values and the attention weights to bf16; all sums are f32.
 *          The softmax is computed in f32 with the maximum subtracted.  The bytes of o depend on the rows of
 *          their own sequence and on the kernel.  They do not depend on the other sequences, n or the threads.
 *          With `causal`, a row does not depend on the keys after it, nor on nq.
 * Threads  Split over sequences, heads and blocks of queries.
 */
#ifndef UNCLIP_ATTENTION_H
#define UNCLIP_ATTENTION_H

#include "lib/layer/linear.h"

struct attention_keys {
    const float *k, *v;
    size_t n, ld;          /* the number of rows; the row stride of k and of v */
};

struct attention_seq {
    const float *q;
    float *o;
    size_t nq, ldq, ldo;
    struct attention_keys keys[2];    /* queries see keys[0], then keys[1]; keys[0] may be empty (n = 0) */
    float *p;                         /* NULL, or receives the attention weights [H, nq, keys], for attention_back.h */
};

struct attention {
    size_t heads, width;   /* H; d, the width of one head */
    float scale;           /* multiplies q K^T, where q includes its bias: d^-1/2 */
    bool causal;           /* query i sees no key after key keys[0].n + keys[1].n - nq + i of both runs */
};

/* Returns the bytes of scratch for sequences of at most `keys` keys (both runs), for any number of queries. */
size_t attention_scratch(const struct attention *a, const struct compute *c, size_t keys);

void attention_run(const struct attention *a, const struct compute *c, size_t n,
                   const struct attention_seq seq[], void *scratch);

#endif
