/* mixing.h - the vectors and noises of records, mixed: what embed-mix does to one record
 *
 * What     Getting vectors, checking that they belong together, frames on the way from one record to another.
 * Source   Ramesh et al. 2022, arXiv:2204.06125, section 3: slerp between image embeddings and between the
 *          noises x_T; text differences.  The arithmetic is mix.h's.
 * Fields   A frame is a copy of the first record with the new vector, `theta`, and `noise_id` (its root), so that
 *          all frames of a record are drawn from one noise; where both records bring a noise, that is mixed too.
 * Errors   Vectors of different widths or models, noises of different shapes or timesteps.
 */
#ifndef UNCLIP_MIXING_H
#define UNCLIP_MIXING_H

#include "formats/sample.h"

struct mix_vec {
    const float *v;
    size_t d;
    struct span model;    /* fingerprint; empty when unknown */
};

/* A vector field as f32: 1, 0 absent, -1. */
int mix_get(const struct record *r, const char *field, struct mix_vec *out, struct arena *a, struct err *e);

/* `wanted`, or where it is NULL image_embed, else text_embed; *field says which.  1 or -1. */
int mix_get_any(const struct record *r, const char *wanted, const char **field, struct mix_vec *out, struct arena *a,
                struct err *e);

int mix_fits(const struct mix_vec *a, const struct mix_vec *b, bool force, struct err *e);

int mix_set(struct record *r, const char *field, const float *v, size_t d, struct err *e);

/* sum += w v, or w v / |v| */
int mix_add(const struct mix_vec *v, double w, bool raw, double *sum, struct err *e);

/* Frame i of n from a (its vector va) towards vb, at t; `other`: the record whose noise is mixed in, or NULL. */
struct mix_frame {
    const struct record *a, *other;
    const struct sample *sample;
    const struct mix_vec *va;
    const float *vb;
    const char *field;
    bool lerp;
    size_t i, n;
    double t;
};

int mix_frame(struct record *out, const struct mix_frame *f, struct arena *mem, struct err *e);

#endif
