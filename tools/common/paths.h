/* paths.h - where the model is, and where its packed weights are kept
 */
#ifndef UNCLIP_PATHS_H
#define UNCLIP_PATHS_H

#include "formats/checkpoint/model.h"
#include "tools/common/tool.h"

/* Returns the paths of -m, or else those of $UNCLIP_MODEL, or else that of the model that comes with unclip.  The
 * result includes the cache of packed weights, which tool_finish writes. */
struct model_paths tool_models(struct tool *t);

/* Replaces *name by the path that it stands for (that of the built-in model for "box", that of a downloaded repository for
 * the name of the repository).  Returns a copy of p with this path alone; the copy points to *name. */
struct model_paths tool_model_at(struct tool *t, struct model_paths p, const char **name);

/* Warns if no vocabulary is found for the text tower of the model m.  The calling program itself needs no
 * vocabulary. */
void tool_check_vocabulary(struct tool *t, const struct model_paths *p, const struct clip_model *m);

#endif
