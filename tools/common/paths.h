/* paths.h - where the model is, and where its packed weights are kept
 */
#ifndef UNCLIP_PATHS_H
#define UNCLIP_PATHS_H

#include "formats/checkpoint/model.h"
#include "tools/common/tool.h"

/* Returns the paths of -m, else of $UNCLIP_MODEL, else of the model that comes with unclip.  The result includes the
 * cache of packed weights, which tool_finish writes. */
struct model_paths tool_models(struct tool *t);

#endif
