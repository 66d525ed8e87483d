/* output.h - where the results of a run go
 *
 * What     -o FILE is checked and locked at the start and opened at the first result, so that a run without one leaves it as
 *          it was.  No output is an input, nor another output.
 */
#ifndef UNCLIP_OUTPUT_H
#define UNCLIP_OUTPUT_H

#include "formats/record/record.h"
#include "tools/common/tool.h"

/* Before tool_output: what this run reads (NULL: nothing), and what it writes next to -o.  tool_output refuses an output
 * that is an input, by device and inode, and two outputs in one file.  It knows by itself what standard input is, and the
 * files of the models. */
void tool_reads(struct tool *t, const char *name);
void tool_reads_all(struct tool *t, int n, char *name[]);
void tool_writes(struct tool *t, const char *name);

/* The same check by itself, for a program that writes -o in its own way; and for an output whose name is known later. */
void tool_check_files(struct tool *t);
bool tool_is_input(struct tool *t, const char *name);

/* Prepare -o or standard output: refuses a terminal, an input, and for records a file that holds something else; locks the
 * file; reads --skip-from.  Installs the signal handlers.  `fields`: what this program writes, for resume.h. */
void tool_output(struct tool *t, size_t nfields, const char *const fields[]);

/* The descriptor of the output.  The file is opened and emptied, or where --skip-from names it cut to its whole records,
 * when this is called first: at the first result. */
int tool_out(struct tool *t);

/* Write one record (not where the output is text); dies when the output is lost. */
void tool_write(struct tool *t, const struct record *r, struct arena scratch);

#endif
