/* output.h - where the results of a run go
 *
 * What     The file of -o is checked and locked at the start, and emptied or made at the first result.  An output may
 *          not be a file that the run reads, or the file of another output.
 */
#ifndef UNCLIP_OUTPUT_H
#define UNCLIP_OUTPUT_H

#include "formats/record/record.h"
#include "tools/common/tool.h"

/* The program calls these three functions before tool_output.  tool_reads and tool_reads_all name the files that the
 * run reads (NULL is ignored), and tool_writes names a file that the run writes in addition to -o.  tool_output then
 * refuses an output that is also an input (the same device and inode), and two outputs in one file.  Standard input and
 * the models' files need not be named. */
void tool_reads(struct tool *t, const char *name);
void tool_reads_all(struct tool *t, int n, char *name[]);
void tool_writes(struct tool *t, const char *name);

/* tool_check_files makes the same check of inputs and outputs as tool_output, for a program that writes the file of -o
 * in its own way.  tool_is_input returns whether the file `name` is an input, for an output whose name becomes known
 * only later. */
void tool_check_files(struct tool *t);
bool tool_is_input(struct tool *t, const char *name);

/* tool_has_records returns whether the file `name` is a stream of records.  tool_keep_records ends the program if the
 * file is one, so that another kind of output does not replace records.  tool_output calls tool_keep_records if the
 * output is text. */
bool tool_has_records(const char *name);
void tool_keep_records(const char *name);

/* Prepares the file of -o, or standard output.  Refuses to write records to a terminal (except with -o -) or over a
 * file that holds something else, to write text over a stream of records, and to write to an input.  Locks the file,
 * reads the file of --skip-from and installs the signal handlers.  `fields` names the fields that the program writes
 * (resume.h). */
void tool_output(struct tool *t, size_t nfields, const char *const fields[]);

/* Removes from each of the n indexes the records of picture files that have changed or no longer exist (prune.h).  The
 * program ends with an error if an index is not a stream of records, if another run writes to it, or if none of the
 * picture files that it names exists. */
void tool_prune(struct tool *t, int n, char *name[]);

/* Returns the descriptor of the output.  The first call, at the first result, makes or empties the file, or, if
 * --skip-from names the same file, cuts it after its last whole record. */
int tool_out(struct tool *t);

/* Writes one record to the output, or does nothing if the output is text.  The program ends if writing fails. */
void tool_write(struct tool *t, const struct record *r, struct arena scratch);

#endif
