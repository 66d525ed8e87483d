/* transformer_back.h - the gradient of transformer_run's result with respect to its input
 *
 * What     transformer_run with `keep` leaves each layer's input and state; transformer_back goes through the layers
 *          from the last to the first:
 *
 *              x' = x + out(attention(ln1(x)))       dx = dx' + ln1^T(attention^T(out^T dx'))
 *              y  = x' + proj(act(fc(ln2(x'))))      dx' = dy + ln2^T(fc^T(act'(u) proj^T dy))
 *
 *          No weight gets a gradient.  All sequences have the same length, see all their rows (not causal), and have no
 *          cache.
 * Source   The chain rule; attention_back.h for attention.
 * Shapes   dy [n, D] with `row`, else [n * T, D]; dx [n * T, D], contiguous.  dy may be dx without `row`.
 * Memory   Floats kept for each row and layer:
 *              KEEP_ALL       9 D + H T, with F = 4 D
 *              KEEP_STATES    9 D; the attention weights are computed again
 *              KEEP_INPUTS    D, and 9 D + H T for one layer; each layer is run again, which costs a second forward pass
 * Numbers  The gradients of all modes agree, but not to the bit: KEEP_STATES computes the attention weights in f32, and
 *          in the order of attention_back.h.  The bytes of a row's gradient depend on its own sequence, the kernel
 *          and the mode only.
 * Errors   transformer_turn returns -1 and a message when memory runs out.  The other functions cannot fail.
 * Threads  The layers that are called split their work over c->pool.  One call at a time may use a scratch.
 */
#ifndef UNCLIP_TRANSFORMER_BACK_H
#define UNCLIP_TRANSFORMER_BACK_H

#include "lib/base/scratch.h"
#include "lib/layer/transformer.h"

enum keep_mode { KEEP_ALL, KEEP_STATES, KEEP_INPUTS };

/* The transposed matrices of one layer. */
struct transformer_turned {
    struct linear q, kv, out, fc, proj;
};

/* Packs the transposed matrices of all layers into memory from the arena keep.  *u receives an array of one struct for
 * each layer. */
int transformer_turn(struct transformer_turned **u, const struct transformer *t, const struct compute *c,
                     struct arena *keep, struct err *e);

/* Cuts from s the memory that a run of n sequences of `len` rows keeps.  `one` says that the run has `row`.  If s->base
 * is NULL, the call only counts bytes, and its result must not be used. */
struct transformer_keep transformer_keep_cut(const struct transformer *t, size_t n, size_t len, bool one,
                                             enum keep_mode mode, struct scratch *s);

size_t transformer_back_scratch(const struct transformer *t, const struct transformer_turned *u, const struct compute *c,
                                size_t n, size_t len, enum keep_mode mode);

/* Computes dx from dy for the run r, whose memory r->keep is unchanged since transformer_run.  The call overwrites that
 * memory, so it can be made only once for each run. */
void transformer_back(const struct transformer *t, const struct transformer_turned *u, const struct compute *c,
                      const struct transformer_run *r, const float *dy, float *dx, void *scratch);

#endif
