/* progress.h - shows on standard error how far a program is
 *
 * What     With --progress=json, progress is shown as lines of JSON.  Otherwise, on a terminal and without -q and -v,
 *          it is a line like "tool: 12 of 100, 3 s left".  Progress is shown at most ten times a second, and at the
 *          last step.
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

/* The function of a struct sampler_watch, whose ctx is the struct tool.  Calls tool_step.  Returns false, which stops
 * the sampler, after a signal. */
bool tool_watch(void *tool, size_t step, size_t steps, const float *x, const float *x0);

#endif
