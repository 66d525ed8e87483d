/* progress.h - how far a program is
 *
 * What     A line on a terminal, "tool: 12 of 100, 3 s left"; a JSON line with --progress=json; nothing with -q or
 *          when standard error is a file.  At most ten times a second.
 */
#ifndef UNCLIP_PROGRESS_H
#define UNCLIP_PROGRESS_H

#include "tools/common/tool.h"

/* Records done of `total`; 0: unknown. */
void tool_progress(struct tool *t, uint64_t total);

/* The step inside a record that takes many: "tool: record 3, step 12 of 25". */
void tool_step(struct tool *t, size_t step, size_t steps);

/* tool_step as a sampler_watch, whose ctx is the tool: false when a signal came. */
bool tool_watch(void *tool, size_t step, size_t steps, const float *x, const float *x0);

#endif
