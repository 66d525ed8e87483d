/* machine.h - what a run uses of the machine: threads and kernels
 */
#ifndef UNCLIP_MACHINE_H
#define UNCLIP_MACHINE_H

#include "tools/common/tool.h"

/* Starts the thread pool and chooses the kernels, as -j, --kernel and --precision say, and writes both into
 * t->compute. */
void tool_compute(struct tool *t);

#endif
