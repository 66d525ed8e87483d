/* vector.h - the vector of a record that is compared, and what it may be compared with
 *
 * What     The vector is image_embed, else text_embed, or the field that was asked for.  Two
 *          vectors are compared only if they have the same width and the same model, where both
 *          say which model made them.  For text against image, the models are compared only when
 *          one checkpoint is known to hold both towers, because towers in separate files have
 *          separate fingerprints.  mixing.h has the rule for vectors that are mixed.
 * Errors   The reason names the field and both sides.  --force lifts the check of the models, never
 *          that of the widths.
 */
#ifndef UNCLIP_VECTOR_H
#define UNCLIP_VECTOR_H

#include "formats/record/record.h"

struct vector {
    const char *field;    /* "image_embed" */
    enum dtype dtype;     /* DT_F32 or DT_F16 */
    size_t d;
    const void *data;     /* any alignment */
    struct span model;    /* fingerprint of the model that made the vector; empty when unknown */
};

/* Finds the vector in `field` of r, as f32 or f16.  If field is NULL, it is image_embed, else text_embed. */
int vector_find(struct vector *v, const struct record *r, const char *field, struct arena *a,
                struct err *e);

/* Reads the vector in `field` of r as finite f32; vector_f32 returns its numbers.  Returns 1; 0 where the field is
 * absent; -1. */
int vector_floats(struct vector *v, const struct record *r, const char *field, struct arena *a,
                  struct err *e);

static inline const float *vector_f32(const struct vector *v) {
    return v->data;
}

/* Returns true if the models of both vectors are known and differ. */
bool vector_models_differ(const struct vector *v, const struct vector *q);

/* Returns 0 if v may be compared with q, else -1 with the reason in e.  joint says that q's model holds both towers. */
int vector_fits(const struct vector *v, const struct vector *q, bool joint, bool force,
                struct err *e);

#endif
