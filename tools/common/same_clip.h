/* same_clip.h - warns that vectors were made by another CLIP than the prior's or the decoder's (stage/origin.h)
 *
 * What     A warning is printed once in a run, with both fingerprints.  With --strict the record fails instead.
 */
#ifndef UNCLIP_SAME_CLIP_H
#define UNCLIP_SAME_CLIP_H

#include "tools/common/tool.h"
#include "tools/stage/origin.h"

struct same_clip {
    struct origin origin;
    bool told;
};

/* Checks the vector in `field` of r, the record that tool_next read last.  Returns 0.  With --strict, returns -1 if the
 * vector was made by another CLIP. */
int tool_same_clip(struct tool *t, struct same_clip *s, const struct record *r, const char *field, struct arena scratch,
                   struct err *e);

/* Checks the text_embed in the file of --uncond.  `mark` says who made that vector (origin.h).  Warns, or with --strict
 * ends the program, if another CLIP made it. */
void tool_same_uncond(struct tool *t, struct same_clip *s, const char *file, const struct origin_mark *mark);

#endif
