/* gather.h - labelled vectors out of streams, for the programs that learn from them
 *
 * What     tool_gather adds the vector of every record that has a label to f.  labels and label_from are --labels
 *          and --label-from, or NULL (labelling_open).  It reads the n streams
 *          named, or standard input if n is 0.  A warning says how many records have no label.  The program ends
 *          if no vector has a label.  A record that fails is named and counted; --keep-errors writes no record for it.
 * Memory   See features.h.  Mapped streams stay open.  If three copies of the vectors are more than 2 GiB,
 *          f->bounded is set: the vectors are read from the files again when they are needed.
 */
#ifndef UNCLIP_GATHER_H
#define UNCLIP_GATHER_H

#include "tools/stage/features.h"
#include "tools/stage/labelling.h"
#include "tools/common/tool.h"

void tool_gather(struct tool *t, struct features *f, const char *labels, const char *label_from, int n, char *name[]);

#endif
