/* vector.h - the vector of a record that is compared, and what it may be compared with
 *
 * What     image_embed where the record has one, else text_embed, or the field that was asked
 *          for.  Two vectors are compared only if they are equally wide, and, where both say
 *          which model made them, of the same model: always for the same field; for text
 *          against image when one checkpoint is known to hold both towers (split towers
 *          have fingerprints of their own).
 * Errors   Reasons that name the field and both sides; --force lifts the models' check, never
 *          the widths'.
 */
#ifndef UNCLIP_VECTOR_H
#define UNCLIP_VECTOR_H

#include "formats/record/record.h"

struct vector {
    const char *field;    /* "image_embed" */
    enum dtype dtype;     /* DT_F32 or DT_F16 */
    size_t d;
    const void *data;     /* any alignment */
    struct span model;    /* fingerprint; empty when unknown */
};

/* field NULL: image_embed, else text_embed. */
int vector_find(struct vector *v, const struct record *r, const char *field, struct arena *a,
                struct err *e);

/* May v be compared with q?  joint: q's model holds both towers. */
int vector_fits(const struct vector *v, const struct vector *q, bool joint, bool force,
                struct err *e);

#endif
