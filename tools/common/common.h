/* common.h - functions that only the files of tools/common call
 */
#ifndef UNCLIP_TOOL_COMMON_H
#define UNCLIP_TOOL_COMMON_H

#include "tools/common/tool.h"

/* Prints "try 'tool -h'" and ends the program with status 2. */
noreturn void tool_bad_usage(void);

/* Sets the value of the option o, an integer, from the text arg.  A bad value ends the program. */
void tool_set_int(const struct opt *o, const char *arg);

/* Parses argv by the table o of n options, and sorts the table in the order that -h prints.  Writes the long names of
 * the options that were given into t->given.  With -h, tool_parse does not return. */
void tool_parse(struct tool *t, int argc, char *argv[], struct opt *o, size_t n, const char *synopsis);

noreturn void tool_print_version(void);

/* After tool_catch_stop, SIGINT and SIGTERM only make tool_stopped() true.  If such a signal came, tool_raise_stop, at
 * the program's end, raises it a second time. */
void tool_catch_stop(void);
void tool_raise_stop(void);

/* Calls the function that was passed to tool_at_end, unless it was called already.  Returns 0, or -1 with errno. */
int tool_flush_own(void);

/* Sets t->model.paths to the paths of -m, or else to those of $UNCLIP_MODEL, or else to the model that comes with
 * unclip.  Does nothing if the program takes no model. */
void tool_list_models(struct tool *t);

/* Closes the output at the program's end.  Returns 0, or EOF with errno.  If the run had no result, the output file
 * keeps the records that it held before the run. */
int tool_close_output(struct tool *t);

#endif
