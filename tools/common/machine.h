/* machine.h - what a run uses of the machine: threads and kernels
 */
#ifndef UNCLIP_MACHINE_H
#define UNCLIP_MACHINE_H

#include "tools/common/tool.h"

/* Starts the thread pool and chooses the kernels (-j, --kernel, --precision), and sets t->compute to them. */
void tool_compute(struct tool *t);

#endif
