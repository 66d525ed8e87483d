/* common.h - what the files of tools/common use of each other, and programs do not
 */
#ifndef UNCLIP_TOOL_COMMON_H
#define UNCLIP_TOOL_COMMON_H

#include "tools/common/tool.h"

enum { OPT_MAX = 72 };

/* "try 'tool -h'", status 2. */
noreturn void tool_bad_usage(void);

/* The value of the option o.  A bad value ends the program. */
void tool_set_int(const struct opt *o, const char *arg);

/* Parse argv by the n options of o, which are sorted as -h prints them.  -h does not return. */
void tool_parse(int argc, char *argv[], struct opt *o, size_t n, const char *synopsis);

noreturn void tool_print_version(void);

/* From now on SIGINT and SIGTERM only make tool_stopped() true.  At the end, tool_raise_stop raises the signal again. */
void tool_catch_stop(void);
void tool_raise_stop(void);

/* Call the function that tool_at_end was given, once.  0, or -1 with errno. */
int tool_flush_own(void);

/* -m, else $UNCLIP_MODEL, else the model in the box, as t->model; nothing where the program takes no model. */
void tool_list_models(struct tool *t);

/* At the end.  A run without a result leaves the output's file as it was.  0, or EOF with errno. */
int tool_close_output(struct tool *t);

#endif
