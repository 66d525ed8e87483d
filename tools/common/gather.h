/* gather.h - gathers labelled vectors from streams, for the programs that learn from such vectors
 *
 * What     tool_gather reads the n streams in `name`, or standard input if n is 0, and adds to f the vector of every
 *          record that has a label.  `labels` and `label_from` are the values of --labels and --label-from, or NULL
 *          (labelling_open).  A warning says how many records have no label.  The program ends if no vector has a
 *          label.  A record that fails is named and counted; --keep-errors writes no record for it.
 * Memory   See features.h.  Mapped streams stay open.  If three copies of the vectors would take more than 2 GiB,
 *          tool_gather sets f->bounded: the vectors are then read from the files each time that they are needed.
 */
#ifndef UNCLIP_GATHER_H
#define UNCLIP_GATHER_H

#include "tools/stage/features.h"
#include "tools/stage/labelling.h"
#include "tools/common/tool.h"

void tool_gather(struct tool *t, struct features *f, const char *labels, const char *label_from, int n, char *name[]);

#endif
