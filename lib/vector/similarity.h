/* similarity.h - cosines between one vector and many, and the softmax over them
 *
 * What     cos = q.x / (|q| |x|); logit = scale cos; prob = softmax of the logits over a
 *          closed set.  A query is widened to f64 once.  Each vector is then read once, where it
 *          is stored: one pass gives q.x and x.x.
 * Source   Radford et al. 2021, arXiv:2103.00020, figure 3; openai/CLIP @d05afc4
 *          clip/model.py, CLIP.forward.
 * Shapes   q [d] f64, exact copies of f32 values; x [d] f32 or f16, any
 *          alignment, little-endian; rows [n, d] f32.
 * Numbers  Products and sums are f64.  A product of two f32 is exact in f64, so fused and
 *          separate multiply-adds agree and every kernel gives the same bits.  The order of
 *          the additions is fixed: element i is added to lane i mod 16; then lanes l and l + 8 are added,
 *          and last the eight sums 0..7, one after the other.  So a cosine depends on its two vectors only,
 *          not on the machine, the threads, or the place in a stream.  The error is below 4.4e-16 (observed
 *          1.1e-16 for d up to 1100 against long double); squares cannot overflow.
 *          A filter computes in f32 first and rejects x when its cosine is certainly too small.
 *          Let u = 2^-24, and n the largest number of roundings of one element (FILTER_STEPS in
 *          similarity.c); g = n u / (1 - n u).  The f32 sums are D = q.x + e, |e| <= g |q| |x|
 *          (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 3.1 and lemma 3.1,
 *          with Cauchy-Schwarz), and S = x.x (1 + t), |t| <= g.  So
 *              cos <= D / (|q| sqrt S) + g + g / 2 + O(g^2),
 *          and the bound in use is 2 g.  The difference, at least 2^-23, covers O(g^2), the error of
 *          the f64 kernel and that of the comparison.  The filter works if q.q and S are in [2^-80, 2^80]
 *          and d <= 2^16.  In this range the filter cannot overflow (with an infinity or a NaN in x, S is
 *          not finite), and underflow, at most d 2^-150 in a sum, is below 2^-50 of the sum.  2 g is
 *          3.8e-6 for d = 768.
 * Errors   A vector of zeros has no direction, and a vector with NaN or infinity has no cosine.
 *          The functions return SIM_ZERO for the first and SIM_NOT_FINITE for the second.
 * Threads  Re-entrant; no global state.
 */
#ifndef UNCLIP_SIMILARITY_H
#define UNCLIP_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/tensor.h"

enum { SIM_OK, SIM_ZERO = -1, SIM_NOT_FINITE = -2 };

struct sim_kern {
    const char *name;    /* "c", "avx2", "avx512" */
    /* sums[0] = q.x, sums[1] = x.x; with NaN or infinity in x, sums[1] is not finite */
    void (*f32)(const double *q, const void *x, size_t d, double sums[2]);
    void (*f16)(const double *q, const void *x, size_t d, double sums[2]);
    double (*dot)(const double *q, const float *x, size_t d);
    /* approximate the sums of f32 and f16 in f32; the last bits differ between kernels */
    void (*near_f32)(const float *q, const void *x, size_t d, float sums[2]);
    void (*near_f16)(const float *q, const void *x, size_t d, float sums[2]);
};

extern const struct sim_kern sim_kern_c, sim_kern_avx2, sim_kern_avx512;

/* Returns the kernels for a name that kern.h gives; for any other name, the C kernels. */
const struct sim_kern *sim_kern_choose(const char *kern);

struct sim_query {
    const struct sim_kern *kern;
    const double *v;    /* [d] */
    size_t d;
    double sq;          /* v.v: finite, not 0 */
};

/* Makes a query of the vector x [d].  v has room for d values and must stay valid as long as q.  Returns SIM_OK, or
 * what is wrong with x. */
int sim_query(struct sim_query *q, const struct sim_kern *kern, enum dtype dt, const void *x,
              size_t d, double *v);

/* Writes the cosine of the query and x, which has q->d values, into *cos, clamped to [-1, 1].  Returns SIM_OK.  If x is
 * not valid, returns what is wrong with x (SIM_ZERO or SIM_NOT_FINITE) and does not set *cos. */
int sim_cosine(const struct sim_query *q, enum dtype dt, const void *x, double *cos);

struct sim_filter {
    const struct sim_query *q;
    const float *v;     /* [d]: q->v in f32; if NULL, the filter does not reject any x */
    double bound, norm;    /* bound on the error of a cosine; |q| */
};

/* Makes a filter for q.  v has room for q->d values and must stay valid as long as f; if v is NULL, the filter does not
 * reject any x. */
void sim_filter(struct sim_filter *f, const struct sim_query *q, float *v);

/* Returns true only if sim_cosine would give SIM_OK and a cosine below `least`; false if the filter cannot tell. */
bool sim_below(const struct sim_filter *f, enum dtype dt, const void *x, double least);

/* Returns the words for a result: "is all zeros", "has a value that is not finite". */
const char *sim_reason(int result);

/* Replaces x by x / |x|, rounded once; an x of length one is not changed.  Returns SIM_OK, or what is wrong
 * with x. */
int sim_normalise(float *x, size_t d);

/* Writes the cosine of the query and each of n rows, which must have length one, into cos [n]. */
void sim_rows(const struct sim_query *q, const float *rows, size_t n, double *cos);

/* The denominator of a softmax over values that are added one by one, computed without overflow. */
struct sim_sum {
    double max, sum;    /* sum of exp(x - max); {0} is an empty sum */
};

void sim_sum_add(struct sim_sum *s, double x);
double sim_sum_prob(const struct sim_sum *s, double x);    /* returns exp(x) / sum of exp */

#endif
