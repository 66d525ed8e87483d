/* model_about.h - the text of --info
 *
 * What     The text has one "key: value" line for each fact about an opened checkpoint, and says where the fact came
 *          from.
 * Errors   model_about_clip returns NULL when the arena is full.
 */
#ifndef UNCLIP_MODEL_ABOUT_H
#define UNCLIP_MODEL_ABOUT_H

#include "formats/checkpoint/model.h"

/* Where the facts came from: names of files, or phrases such as "the rules for widths". */
struct model_source {
    const char *layout;    /* the layout of the path, for example "single file" */
    const char *config;    /* the source of heads and eps */
    const char *act;       /* the source of the activation */
    const char *prep;      /* the source of the preprocessing */
};

/* The caller has set m->path, file, weights, config, prep and fingerprint.  The text is taken from the arena a. */
const char *model_about_clip(const struct clip_model *m, enum weights_kind kind,
                             const struct model_source *s, struct arena *a);

#endif
