/* output.h - where the results of a run go
 *
 * What     FILE of -o is checked and locked at the start, and emptied or made at the first result.  An output may not
 *          be a file that the run reads, or the file of another output.
 */
#ifndef UNCLIP_OUTPUT_H
#define UNCLIP_OUTPUT_H

#include "formats/record/record.h"
#include "tools/common/tool.h"

/* The program calls these before tool_output.  tool_reads and tool_reads_all name the files that the run reads (NULL is
 * ignored), and tool_writes names a file that it writes in addition to -o.  tool_output then refuses an output that is
 * an input, by device and inode, and two outputs in one file.  Standard input and the models' files need not be
 * named. */
void tool_reads(struct tool *t, const char *name);
void tool_reads_all(struct tool *t, int n, char *name[]);
void tool_writes(struct tool *t, const char *name);

/* tool_check_files makes the check of tool_output, for a program that writes -o in its own way.  tool_is_input returns
 * whether `name` is an input, for an output whose name is known later. */
void tool_check_files(struct tool *t);
bool tool_is_input(struct tool *t, const char *name);

/* tool_has_records returns whether the file `name` is a stream of records.  tool_keep_records ends the program if it is:
 * for an output that is not records.  tool_output calls it for -o of text. */
bool tool_has_records(const char *name);
void tool_keep_records(const char *name);

/* Prepares -o or standard output.  Refuses a terminal, an input, for records a file that holds something else, and
 * for text a stream of records.
 * Locks the file, reads --skip-from and installs the signal handlers.  fields: the fields that the program writes
 * (resume.h). */
void tool_output(struct tool *t, size_t nfields, const char *const fields[]);

/* Returns the descriptor of the output.  The first call, at the first result, empties or makes the file, or cuts
 * it after its last whole record if --skip-from names it. */
int tool_out(struct tool *t);

/* Writes one record to the output, or does nothing if the output is text.  The program ends if writing fails. */
void tool_write(struct tool *t, const struct record *r, struct arena scratch);

#endif
