/* head.h - a small network on top of an embedding: aesthetic scores, NSFW detectors, linear classifiers
 *
 * What     y = link(layer_n(... act(layer_1(x)))), where x is the embedding.  If the head was trained in this way, x
 *          is first scaled to length 1 (`normalise`), and then replaced by (x - mean) / max(sqrt(variance), 1e-7)
 *          (`mean`, `variance`).  A head may have both, one of the two, or neither.
 *          Consecutive layers without an activation between them are folded into one, so the five layers of LAION's
 *          improved predictor cost one dot product.
 * Source   christophschuhmann/improved-aesthetic-predictor @fe88a16 simple_inference.py (MLP),
 *          LAION-AI/aesthetic-predictor, LAION-AI/CLIP-based-NSFW-Detector (H-14 and Keras models).
 * Shapes   Of each layer, weight [out, in] f32 and bias [out] f32.  x [head_in] f32.  y [head_out] f64.
 * Numbers  Folding and all sums are in f64.  y is within 2e-6 of torch's largest output (tests/unit/head.c).
 * Errors   head_fold returns 0, or -1 if layers do not fit together or memory is exhausted.  head_run cannot fail.
 * Threads  Re-entrant.  A call computes one row.
 */
#ifndef UNCLIP_HEAD_H
#define UNCLIP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct sim_kern;

enum { HEAD_LAYERS = 16 };
enum head_link { HEAD_IDENTITY, HEAD_SIGMOID, HEAD_SOFTMAX };

struct head_layer {
    size_t in, out;
    const float *weight;     /* [out, in] */
    const float *bias;       /* [out] or NULL */
    bool relu;               /* a ReLU follows the layer */
};

struct head {
    struct head_layer layer[HEAD_LAYERS];
    size_t n;                /* layers */
    bool normalise;          /* scale x to length 1 */
    const float *mean, *variance;    /* [head_in], or NULL */
    enum head_link link;
};

/* Check that the layers fit together, and fold the layers that can be folded.  The new weights are taken from keep. */
int head_fold(struct head *h, struct arena *keep, struct err *e);

/* head_in returns the length of the embedding, and head_out the number of outputs. */
size_t head_in(const struct head *h);
size_t head_out(const struct head *h);

/* Returns the bytes of scratch for one row. */
size_t head_scratch(const struct head *h);

/* Compute y [head_out] from one x.  If `raw` is true, the link is left out.  An x of zeros is not scaled. */
void head_run(const struct head *h, const struct sim_kern *sim, const float *x, bool raw, double *y, void *scratch);

#endif
