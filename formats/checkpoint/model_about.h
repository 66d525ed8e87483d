/* model_about.h - the text of --info
 *
 * What     One "key: value" line for each fact about an opened checkpoint, and where it came from.
 * Errors   NULL when the arena is full.
 */
#ifndef UNCLIP_MODEL_ABOUT_H
#define UNCLIP_MODEL_ABOUT_H

#include "formats/checkpoint/model.h"

/* Where the facts came from: names of files, or what else there was. */
struct model_source {
    const char *layout;
    const char *config;    /* heads and eps */
    const char *act;
    const char *prep;
};

const char *model_about_clip(const struct clip_model *m, enum weights_kind kind,
                             const struct model_source *s, struct arena *a);

#endif
