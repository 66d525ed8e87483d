/* unit_vectors.h - the embeddings of a record, scaled to length one
 */
#ifndef UNCLIP_UNIT_VECTORS_H
#define UNCLIP_UNIT_VECTORS_H

#include "formats/record/record.h"

/* Scales text_embed and image_embed of r, if r has them, to length one.  The new vectors are f32, in the record's
 * arena.  Returns 0, or -1 if a vector is zero or not finite or memory runs out. */
int unit_vectors(struct record *r, struct err *e);

#endif
