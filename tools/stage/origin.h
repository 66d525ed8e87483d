/* origin.h - whether a record's vectors are of the CLIP that a prior or decoder was trained with
 *
 * What     A prior or decoder knows one CLIP.  Vectors of another CLIP of the same width give pictures without meaning,
 *          and no error.  The pipeline's CLIP is the one that clip-embed would open at the same paths.  origin_mark reads
 *          who made a vector; origin_of compares this with the pipeline's towers by their fingerprints.
 * Errors   None.  Where the paths have no CLIP, or where the vector was not made by clip-embed, the origin is unknown.
 */
#ifndef UNCLIP_ORIGIN_H
#define UNCLIP_ORIGIN_H

#include "formats/checkpoint/model.h"
#include "formats/record/record.h"

/* Who made a vector.  Zero: unknown. */
struct origin_mark {
    struct span fingerprint;    /* of the CLIP; empty when unknown */
    bool scaled;
    float logit_scale;          /* where scaled: the logarithm of the scale of this CLIP */
};

struct origin {
    struct clip_model *text, *vision;    /* the pipeline's towers; NULL where it has none */
    char same[17];                       /* the fingerprint that was last found to be the pipeline's, or "" */
};

/* Reads who made the vector in `field` of r, if clip-embed made it.  A prior's image_embed has no mark. */
struct origin_mark origin_mark(const struct record *r, const char *field);

/* Finds the towers at p.  Headers stay in keep. */
void origin_open(struct origin *o, const struct model_paths *p, struct arena *keep);

/* Tells whether the CLIP of mark is that of the pipeline.  For ORIGIN_OTHER, *ours receives the fingerprint of the
 * pipeline's tower for `field`. */
enum model_origin origin_of(struct origin *o, const struct origin_mark *mark, const char *field, struct span *ours,
                            struct arena scratch);

#endif
