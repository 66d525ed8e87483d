/* origin.h - whether a record's vectors were made by the CLIP that a prior or decoder was trained with
 *
 * What     A prior or decoder knows one CLIP.  Vectors of another CLIP of the same width give pictures without meaning,
 *          and no error.  The pipeline's CLIP is the one that clip-embed would open at the same paths.  origin_mark reads
 *          which CLIP made a vector; origin_of compares this CLIP with the pipeline's towers by fingerprints.
 * Errors   None.  If there is no CLIP at the paths, or if clip-embed did not make the vector, the origin is unknown.
 */
#ifndef UNCLIP_ORIGIN_H
#define UNCLIP_ORIGIN_H

#include "formats/checkpoint/model.h"
#include "formats/record/record.h"

/* Which CLIP made a vector.  If this is unknown, all fields are 0. */
struct origin_mark {
    struct span fingerprint;    /* fingerprint of the CLIP; empty if unknown */
    bool scaled;                /* true: logit_scale is known */
    float logit_scale;          /* the logarithm of this CLIP's logit scale */
};

struct origin {
    struct clip_model *text, *vision;    /* the pipeline's towers; NULL if it lacks the tower */
    char same[17];                       /* the last fingerprint that was found to be the pipeline's, or "" */
};

/* Returns which CLIP made the vector in `field` of r, or {0} if clip-embed did not make it.  For an image_embed that a
 * prior made, the result is {0}, too. */
struct origin_mark origin_mark(const struct record *r, const char *field);

/* Finds the towers of the pipeline at the paths p, except a tower that the caller has set.  Memory for their headers is taken from the arena `keep`. */
void origin_open(struct origin *o, const struct model_paths *p, struct arena *keep);

/* Tells whether the CLIP of `mark` is the pipeline's.  If the result is ORIGIN_OTHER, *ours receives the fingerprint of
 * the pipeline's tower for `field`. */
enum model_origin origin_of(struct origin *o, const struct origin_mark *mark, const char *field, struct span *ours,
                            struct arena scratch);

#endif
