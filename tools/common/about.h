/* about.h - clip-embed's --info and --verify
 *
 * What     With `info`, prints what was recognised in the CLIP of these paths.  With `verify`, compares the CLIP's file
 *          with OpenAI's published SHA-256.  No tower is bound.  If the file differs, t->status becomes 1.
 */
#ifndef UNCLIP_ABOUT_H
#define UNCLIP_ABOUT_H

#include "formats/checkpoint/model.h"
#include "tools/common/tool.h"

void tool_about_clip(struct tool *t, const struct model_paths *paths, bool info, bool verify);

#endif
