/* mixing.h - the vectors and noises of records, mixed: what embed-mix does to one record
 *
 * What     Vectors of records, whether they belong together, frames on the way from one record to another, and sums.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 3: slerp between image embeddings and between the
 *          noises x_T; text differences.  The arithmetic is mix.h's.
 * Fields   A frame is a copy of the first record with the new vector, `theta`, and `noise_id` (its root), so that
 *          all frames of a record are drawn from one noise.  Where both records have a noise, the noises are mixed, too.
 * Errors   Vectors of different widths or models, noises of different shapes or timesteps.
 */
#ifndef UNCLIP_MIXING_H
#define UNCLIP_MIXING_H

#include "tools/stage/sample.h"
#include "tools/stage/vector.h"

/* The vector in `wanted`, or where that is NULL in image_embed, else text_embed; as vector_floats.  1 or -1. */
int mix_get(const struct record *r, const char *wanted, struct vector *out, struct arena *a, struct err *e);

int mix_fits(const struct vector *a, const struct vector *b, bool force, struct err *e);

int mix_set(struct record *r, const char *field, const float *v, size_t d, struct err *e);

/* The way from the vector `from` of record a to the vector `to`.  The noise of `other`, if it is not NULL, is mixed in.
 * mix_between makes a way between one field of two records; `name` is the file of b, for messages.  mix_along makes one from
 * a's image_embed along the difference of two texts.  a, other and mem's bytes must outlive the way. */
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

/* Frame i of n, at t. */
int mix_frame(struct record *out, const struct mix_way *w, bool lerp, size_t i, size_t n, double t, struct arena *mem,
              struct err *e);

/* A sum of vectors, or with `raw` false of their directions.  {0} is empty; the first vector added decides the field
 * (as in mix_get) and the model. */
struct mix_total {
    bool raw, force;
    struct vector like;      /* field, width and model */
    double *sum;
    size_t n;
};

/* sum += weight * vector of r.  The sum, its field and model are kept in keep.  0 or -1. */
int mix_total_add(struct mix_total *t, const struct record *r, const char *wanted, double weight, struct arena *keep,
                  struct arena scratch, struct err *e);

/* A new record: scale * sum. */
int mix_total_record(struct record *out, const struct mix_total *t, const char *id, double scale, struct arena *a,
                     struct err *e);

#endif
