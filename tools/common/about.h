/* about.h - clip-embed's --info and --verify
 *
 * What     info prints what was recognised in the CLIP of these paths, and verify compares its file with OpenAI's
 *          published SHA-256.  No tower is bound.  A file that differs makes t->status 1.
 */
#ifndef UNCLIP_ABOUT_H
#define UNCLIP_ABOUT_H

#include "formats/checkpoint/model.h"
#include "tools/common/tool.h"

void tool_about_clip(struct tool *t, const struct model_paths *paths, bool info, bool verify);

#endif
