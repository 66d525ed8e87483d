/* cached_attention.h - attention of one query in each sequence to keys in a cache
 *
 * What     Computes softmax(scale q K^T) V for a single row q of each of many sequences, for a decoder that draws
 *          one token after the other.  The keys and values that a query sees come as runs of rows with a stride, so
 *          that a sparse pattern (the row above, a column, a window of the image) is read from the cache without a
 *          mask.
 * Source   Vaswani et al. 2017, arXiv:1706.03762; Child et al. 2019, arXiv:1904.10509 (sparse patterns).
 * Shapes   q, o [H * d]; row i of a run begins at k + i * ld and v + i * ld, [H * d] each.  Each query has at least
 *          one key.
 * Aliasing o may be q.
 * Numbers  All numbers are f32.  Keys are added up in the order of the runs; the softmax subtracts the maximum.  The
 *          bytes of a sequence depend on its own rows and on the kernel, not on the other sequences or the threads.
 * Threads  Split over sequences, and over heads where there are few sequences.
 */
#ifndef UNCLIP_CACHED_ATTENTION_H
#define UNCLIP_CACHED_ATTENTION_H

#include <stddef.h>

#include "lib/base/compute.h"

enum { CACHED_RUNS = 32 };

struct cached_run {
    const float *k, *v;
    size_t n, ld;
};

struct cached_query {
    const float *q;
    float *o;
    size_t runs;
    struct cached_run run[CACHED_RUNS];
};

struct cached_attention {
    size_t heads, width;    /* H; d, the width of one head */
    float scale;
};

/* Returns the bytes of scratch for queries of at most `keys` keys each. */
size_t cached_attention_scratch(size_t heads, const struct compute *c, size_t keys);

void cached_attention_run(const struct cached_attention *a, const struct compute *c, size_t n,
                          const struct cached_query query[], void *scratch);

#endif
