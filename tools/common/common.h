/* common.h - what the objects in tools/common share with each other
 *
 * tools see tools/tool.h alone.  A file for each topic: say (messages), options (one table to
 * getopt_long), version (-V), start (shared options, memory, signals, the end), paths (the model),
 * compute (threads, kernels), output, input, samples, progress.
 */
#ifndef UNCLIP_TOOL_COMMON_H
#define UNCLIP_TOOL_COMMON_H

#include "tools/tool.h"

enum { OPT_MAX = 72 };

extern const char *tool_prog;    /* set once, at the start */

/* "try 'tool -h'", status 2. */
noreturn void tool_bad_usage(void);

/* A value of the option o; bad ones end the program. */
void tool_set_int(const struct opt *o, const char *arg);

/* Parse argv by the n options of o, sorted as -h prints them; -h does not return. */
void tool_parse(int argc, char *argv[], struct opt *o, size_t n, const char *synopsis);

noreturn void tool_print_version(void);

/* SIGINT and SIGTERM: tool_stopped() from now on. */
void tool_catch_stop(void);

#endif
