/* cached_attention.h - one query of each sequence against keys that lie in a cache
 *
 * What     softmax(scale q K^T) V for a single row q of many sequences, as a decoder that draws one token after the
 *          other needs it.  The keys and values that a query sees come as runs of rows with a stride, so that a sparse
 *          pattern (the row above, a column, a window of the picture) is read from the cache without a mask.
 * Source   Vaswani et al. 2017, arXiv:1706.03762; Child et al. 2019, arXiv:1904.10509 (sparse patterns).
 * Shapes   q, o [H * d]; a run's row i is k + i * ld and v + i * ld, [H * d] each.  At least one key.
 * Aliasing o may be q.
 * Numbers  f32; scores in the order of the runs, the maximum subtracted.  A sequence's bytes depend on its own rows
 *          and the kernel, not on the other sequences or the threads.
 * Threads  Split over sequences and heads.
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

/* Bytes of scratch for queries of at most `keys` keys. */
size_t cached_attention_scratch(const struct compute *c, size_t keys);

void cached_attention_run(const struct cached_attention *a, const struct compute *c, size_t n,
                          const struct cached_query query[], void *scratch);

#endif
