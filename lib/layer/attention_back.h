/* attention_back.h - the gradient of attention.h's result with respect to queries, keys and values
 *
 * What     With P = softmax(scale q K^T) and o = P V, computes for one head after the other
 *
 *              dV = P^T do     dP = do V^T     dS = scale P (dP - rowsum(P dP))     dq = dS K     dK = dS^T q
 *
 *          P comes from the forward pass (attention_seq.p), or is computed again from q and K, some rows at a time.
 * Source   Dao et al. 2022, arXiv:2205.14135, appendix B.4.
 * Shapes   q, dout, dq [nq, H * d] with row stride ldq; k, v, dk, dv [nk, H * d] with row stride ldk; p [H, nq, nk].
 *          The keys are one run, and each query sees all of them (no `causal`).
 * Aliasing dq may be dout.  dk and dv may not be k or v.
 * Numbers  Always f32, with the f32 kernels of the table.  The bytes of a result depend on the rows of its own
 *          sequence and on the kernel.  They do not depend on the other sequences, n or the threads.
 * Threads  Split over sequences and heads.
 */
#ifndef UNCLIP_ATTENTION_BACK_H
#define UNCLIP_ATTENTION_BACK_H

#include "lib/layer/attention.h"

struct attention_back_seq {
    const float *q, *k, *v, *dout;
    const float *p;                   /* P of the forward pass, or NULL */
    float *dq, *dk, *dv;
    size_t nq, nk, ldq, ldk;
};

/* Returns the bytes of scratch for sequences of at most `keys` keys. */
size_t attention_back_scratch(const struct attention *a, const struct compute *c, size_t keys);

void attention_back(const struct attention *a, const struct compute *c, size_t n,
                    const struct attention_back_seq seq[], void *scratch);

#endif
