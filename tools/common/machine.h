/* machine.h - what a run uses of the machine: threads and kernels
 */
#ifndef UNCLIP_MACHINE_H
#define UNCLIP_MACHINE_H

#include "tools/common/tool.h"

/* Start the pool and choose the kernels (-j, --kernel, --precision), as t->compute. */
void tool_compute(struct tool *t);

#endif
