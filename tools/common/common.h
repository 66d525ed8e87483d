/* common.h - functions that only the files of tools/common call
 */
#ifndef UNCLIP_TOOL_COMMON_H
#define UNCLIP_TOOL_COMMON_H

#include "tools/common/tool.h"

/* Prints "try 'tool -h'" and ends the program with status 2. */
noreturn void tool_bad_usage(void);

/* Sets the value of the option o, an integer, from the text arg.  A bad value ends the program. */
void tool_set_int(const struct opt *o, const char *arg);

/* Parses argv by the n options of o, and sorts o in the order that -h prints.  Writes the long names of
 * the options that were given into t->given.  With -h, tool_parse does not return. */
void tool_parse(struct tool *t, int argc, char *argv[], struct opt *o, size_t n, const char *synopsis);

noreturn void tool_print_version(void);

/* After tool_catch_stop, SIGINT and SIGTERM only make tool_stopped() true.  At the program's end, tool_raise_stop
 * raises the signal that came again. */
void tool_catch_stop(void);
void tool_raise_stop(void);

/* Calls the function that tool_at_end was given, if it was not called yet.  Returns 0, or -1 with errno. */
int tool_flush_own(void);

/* Sets t->model.paths to the paths of -m, else of $UNCLIP_MODEL, else to the model that comes with unclip.  Does
 * nothing if the program takes no model. */
void tool_list_models(struct tool *t);

/* Closes the output at the program's end.  Returns 0, or EOF with errno.  After a run without a result, the records
 * that the output's file held are kept. */
int tool_close_output(struct tool *t);

#endif
