/* vector.h - the vector of a record that is compared, and what it may be compared with
 *
 * What     The vector is the field that was asked for, or else image_embed, or else text_embed.
 *          Two vectors may be compared only if they have the same width and the same model.  A
 *          vector that does not say which model made it fits every model.  For a text vector and
 *          an image vector, the models are checked only if one checkpoint is known to hold both
 *          towers, because towers in separate files have separate fingerprints.  mixing.h has the
 *          rule for vectors that are mixed.
 * Errors   The message names the field and both sides.  --force turns the check of the models off,
 *          but never the check of the widths.
 */
#ifndef UNCLIP_VECTOR_H
#define UNCLIP_VECTOR_H

#include "formats/record/record.h"

struct vector {
    const char *field;    /* name of the field, for example "image_embed" */
    enum dtype dtype;     /* DT_F32 or DT_F16 */
    size_t d;
    const void *data;     /* the numbers, at any alignment */
    struct span model;    /* fingerprint of the model that made the vector; empty if unknown */
};

/* Finds the vector in `field` of r, as f32 or f16.  If `field` is NULL, finds image_embed, or text_embed if r has no
 * image_embed. */
int vector_find(struct vector *v, const struct record *r, const char *field, struct arena *a,
                struct err *e);

/* Reads the vector in `field` of r as finite f32; vector_f32 then returns the vector's numbers.  Returns 1, or 0 if r
 * does not have the field, or -1 for an error. */
int vector_floats(struct vector *v, const struct record *r, const char *field, struct arena *a,
                  struct err *e);

static inline const float *vector_f32(const struct vector *v) {
    return v->data;
}

/* Returns true if the models of both vectors are known and differ. */
bool vector_models_differ(const struct vector *v, const struct vector *q);

/* Returns 0 if v may be compared with q, else -1 with the reason in e.  `joint` tells whether q's model holds both
 * towers. */
int vector_fits(const struct vector *v, const struct vector *q, bool joint, bool force,
                struct err *e);

#endif
