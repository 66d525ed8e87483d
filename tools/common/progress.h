/* progress.h - how far a program is
 *
 * What     On a terminal, a line "tool: 12 of 100, 3 s left".  With --progress=json, JSON lines.  With -q, or where
 *          standard error is not a terminal, nothing.  At most ten times a second.
 */
#ifndef UNCLIP_PROGRESS_H
#define UNCLIP_PROGRESS_H

#include "tools/common/tool.h"

/* Shows how many of `total` records are done.  total is 0 if it is not known. */
void tool_progress(struct tool *t, uint64_t total);

/* Shows the step of a record that takes many steps: "tool: record 3, step 12 of 25". */
void tool_step(struct tool *t, size_t step, size_t steps);

/* Shows the step together with the loss of an optimiser: "tool: record 3, step 12 of 250, loss -1.234". */
void tool_step_loss(struct tool *t, size_t step, size_t steps, double loss);

/* A sampler_watch that calls tool_step.  Its ctx is the struct tool.  Returns false when a signal came. */
bool tool_watch(void *tool, size_t step, size_t steps, const float *x, const float *x0);

#endif
