/* head.h - a small network on top of an embedding: aesthetic scores, NSFW detectors, linear classifiers
 *
 * What     y = link(layer_n(... act(layer_1(x)))), where x is the embedding, scaled to length one (or made
 *          (x - mean) / max(sqrt(variance), 1e-7)) where the head was trained so.  Layers that follow each
 *          other without an activation are folded into one, so the five layers of LAION's improved
 *          predictor cost one dot product.
 * Source   christophschuhmann/improved-aesthetic-predictor @fe88a16 simple_inference.py (MLP),
 *          LAION-AI/aesthetic-predictor, LAION-AI/CLIP-based-NSFW-Detector (H-14 and Keras models).
 * Shapes   Layer l: weight [out, in] f32, bias [out]; x [in of the first]; y [out of the last].
 * Numbers  Folding and all sums in f64; against torch within 2e-6 of the largest output (tests/unit/head.c).
 * Errors   -1: layers that do not fit together, or memory.
 * Threads  Re-entrant: one row a call.
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
    bool relu;               /* behind it */
};

struct head {
    struct head_layer layer[HEAD_LAYERS];
    size_t n;
    bool normalise;          /* x to length one */
    const float *mean, *variance;    /* [in of the first], or NULL */
    enum head_link link;
};

/* Do the layers fit together?  Then fold what can be folded; the products are taken from keep. */
int head_fold(struct head *h, struct arena *keep, struct err *e);

size_t head_in(const struct head *h);
size_t head_out(const struct head *h);

/* Bytes of scratch for one row. */
size_t head_scratch(const struct head *h);

/* y [head_out]: before the link if raw.  x of zeros stays as it is. */
void head_run(const struct head *h, const struct sim_kern *sim, const float *x, bool raw, double *y, void *scratch);

#endif
