/* same_clip.h - says that vectors are of another CLIP than the prior's or the decoder's (stage/origin.h)
 *
 * What     Once in a run, a warning with both fingerprints.  With --strict the record fails instead.
 */
#ifndef UNCLIP_SAME_CLIP_H
#define UNCLIP_SAME_CLIP_H

#include "tools/common/tool.h"
#include "tools/stage/origin.h"

struct same_clip {
    struct origin origin;
    bool told;
};

/* Checks the vector in `field` of r, the record that tool_next read last.  Returns 0, or with --strict -1. */
int tool_same_clip(struct tool *t, struct same_clip *s, const struct record *r, const char *field, struct arena scratch,
                   struct err *e);

/* Checks the text_embed of --uncond: `file`, whose record has this mark.  With --strict the program ends. */
void tool_same_uncond(struct tool *t, struct same_clip *s, const char *file, const struct origin_mark *mark);

#endif
