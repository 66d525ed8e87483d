/* unit_vectors.h - the embeddings of a record, scaled to length one
 */
#ifndef UNCLIP_UNIT_VECTORS_H
#define UNCLIP_UNIT_VECTORS_H

#include "formats/record/record.h"

/* Replaces text_embed and image_embed of r, where it has them, by f32 vectors of length one, in the record's arena.
 * Returns 0, or -1 if a vector is zero or not finite. */
int unit_vectors(struct record *r, struct err *e);

#endif
