/* progress.h - how far a program is
 *
 * What     On a terminal, a line "tool: 12 of 100, 3 s left".  With --progress=json, JSON lines.  With -q, or where
 *          standard error is not a terminal, nothing.  At most ten times a second.
 */
#ifndef UNCLIP_PROGRESS_H
#define UNCLIP_PROGRESS_H

#include "tools/common/tool.h"

/* Show how many records of `total` are done.  total is 0 where it is not known. */
void tool_progress(struct tool *t, uint64_t total);

/* Show the step of a record that takes many: "tool: record 3, step 12 of 25". */
void tool_step(struct tool *t, size_t step, size_t steps);

/* tool_step as a sampler_watch, whose ctx is the struct tool.  false when a signal came. */
bool tool_watch(void *tool, size_t step, size_t steps, const float *x, const float *x0);

#endif
