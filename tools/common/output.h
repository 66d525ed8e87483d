/* output.h - where the results of a run go
 */
#ifndef UNCLIP_OUTPUT_H
#define UNCLIP_OUTPUT_H

#include "formats/record/record.h"
#include "tools/common/tool.h"

/* Open -o or standard output for records: refuses a terminal, reads --skip-from, and where that
 * is -o's own file cuts a torn tail and appends.  Installs the signal handlers.  `fields`:
 * what this program writes, for resume.h. */
void tool_output(struct tool *t, size_t nfields, const char *const fields[]);

/* Before tool_output: die if -o names this input file, which would be emptied. */
void tool_not_output(const struct tool *t, const char *name);
void tool_not_outputs(const struct tool *t, int n, char *name[]);

/* Write one record (not where the output is text); dies when the output is lost. */
void tool_write(struct tool *t, const struct record *r, struct arena scratch);

#endif
