/* mixing.h - mixes the vectors and noises of records: what embed-mix does to one record
 *
 * What     Reads the vectors of records, checks whether they can be mixed, makes frames between one record and another,
 *          and sums vectors.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 3: slerp between image embeddings and between the
 *          noises x_T; text differences.  The arithmetic is mix.h's.
 * Fields   A frame is a copy of the first record with the new vector, `theta`, and `noise_id` (its root), so that
 *          all frames of a record are drawn from one noise.  Where both records have the field `noise`, the noises are
 *          mixed, too.
 * Errors   Vectors of different widths or models, noises of different shapes or timesteps.
 */
#ifndef UNCLIP_MIXING_H
#define UNCLIP_MIXING_H

#include "tools/stage/sample.h"
#include "tools/stage/vector.h"

/* Reads the vector in the field `wanted` of r into *out, as vector_floats does.  If `wanted` is NULL, the field is
 * image_embed, else text_embed.  Returns 1 or -1. */
int mix_get(const struct record *r, const char *wanted, struct vector *out, struct arena *a, struct err *e);

int mix_fits(const struct vector *a, const struct vector *b, bool force, struct err *e);

int mix_set(struct record *r, const char *field, const float *v, size_t d, struct err *e);

/* A way from the vector `from` of record a to the vector `to`.  If `other` is not NULL, its noise is mixed with that
 * of a.  mix_between makes a way from a field of a to the field of b that has this name; messages name b by its file,
 * `name`.  mix_along makes a way from a's image_embed along the difference of two texts.  a, other and the memory
 * taken from mem must outlive the way. */
struct mix_way {
    const struct record *a, *other;
    struct sample sample;
    struct vector from;
    const float *to;
};

int mix_between(struct mix_way *w, const struct record *a, const struct record *b, const char *name, const char *wanted,
                bool force, struct arena *mem, struct err *e);
int mix_along(struct mix_way *w, const struct record *a, const struct vector *old, const struct vector *fresh,
              struct arena *mem, struct err *e);

/* Makes *out the i-th record of the n that interpolate between w's two vectors: t = 0 gives the first vector and t = 1
 * the second.  lerp interpolates along the straight line, otherwise along the great circle (slerp).  Returns 0, or -1
 * with err. */
int mix_frame(struct record *out, const struct mix_way *w, bool lerp, size_t i, size_t n, double t, struct arena *mem,
              struct err *e);

/* Makes *out the map of embed-mix's options for params: the mode, and the n steps where there are any. */
int mix_params(struct span *out, const char *mode, const double *step, size_t n, struct arena *a, struct err *e);

/* A sum of vectors; if `raw` is false, each vector is divided by its length first.  A sum that is {0} is empty.  The
 * first vector that is added decides the field (as in mix_get) and the model. */
struct mix_total {
    bool raw, force;
    struct vector like;      /* field, width and model of the first vector */
    double *sum;
    size_t n;
};

/* Adds weight * the vector of r to t->sum.  The memory of the sum and its model is taken from keep.  Returns 0 or
 * -1. */
int mix_total_add(struct mix_total *t, const struct record *r, const char *wanted, double weight, struct arena *keep,
                  struct arena scratch, struct err *e);

/* Makes *out a new record with the vector scale * sum. */
int mix_total_record(struct record *out, const struct mix_total *t, const char *id, double scale, struct arena *a,
                     struct err *e);

#endif
