/* gather.h - labelled vectors out of streams, for the programs that learn from them
 *
 * What     Every record of the streams named (none: standard input) that has a label (labelling.h) gives its
 *          vector; the others are counted, and told.  Ends the program where no vector has a label.
 * Memory   features.h.  Mapped streams stay open.  Where the vectors in three copies are more than 2 GiB,
 *          f->bounded is set: they are read from the files again when they are needed.
 */
#ifndef UNCLIP_GATHER_H
#define UNCLIP_GATHER_H

#include "tools/stage/features.h"
#include "tools/stage/labelling.h"
#include "tools/common/tool.h"

void tool_gather(struct tool *t, struct features *f, const struct labelling *l, int n, char *name[]);

#endif
