/* options.h - options of a command line, from one table
 *
 * What     The table serves getopt_long, the check of the values, and -h.  The table has a program's own options and
 *          the options that programs share (tool.h).
 */
#ifndef UNCLIP_OPTIONS_H
#define UNCLIP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/span.h"

enum opt_kind { OPT_FLAG, OPT_STR, OPT_LIST, OPT_INT, OPT_FLOAT, OPT_CHOICE, OPT_MAYBE_INT, OPT_MAYBE_CHOICE };

enum { TOOL_LIST = 16, OPT_MAX = 72 };    /* the most values of an OPT_LIST, like -m; the most options */

struct strs {
    const char *v[TOOL_LIST];
    size_t n;
};

/* One option.  `to` points to the variable that receives the value: a bool (FLAG), const char * (STR), struct strs
 * (LIST), int64_t (INT), double (FLOAT) or int (CHOICE).  A CHOICE is an index into `choices`, which is a text like
 * "f32|bf16".  The value of a MAYBE_INT or MAYBE_CHOICE may be left out: it is then -1, or the first choice.  These two
 * kinds have long names only.  `min` and `max` bound numbers. */
struct opt {
    int letter;            /* 0: the option has only a long name */
    const char *name;
    enum opt_kind kind;
    void *to;
    const char *arg;       /* what -h calls the argument */
    const char *help;      /* what -h says of the option, in one line */
    double min, max;
    const char *choices;
};

/* Options that have a meaning only in some of a program's modes. */
struct opt_use {
    unsigned modes;        /* bit i: the options have a meaning in mode i */
    const char *names;     /* the options' long names, separated by spaces */
};

struct tool;

/* Ends the program if an option was given that has no meaning in the modes `now` (one bit, or the bits of modes that go
 * together).  The message is like "--alpha is for --tip"; `mode` holds the names of the modes in the message. */
void tool_check_uses(const struct tool *t, const struct opt_use *use, size_t n, const char *const mode[], unsigned now);
#define TOOL_CHECK_USES(t, uses, mode, now) tool_check_uses(t, uses, sizeof(uses) / sizeof *(uses), mode, now)

/* Parses a list of numbers from 0 to `max`, like "0,0.25,1", into v.  Returns how many numbers the list has.  The
 * program ends if the list is malformed or has more than `room` numbers. */
size_t tool_numbers(const char *option, const char *list, double max, double *v, size_t room);

/* Splits an option's value `arg`, FIELD=FILE.  Returns the field, and sets *file.  Another value ends the program. */
const char *tool_pair(struct tool *t, const char *option, const char *arg, const char **file);

/* Returns the values of an option that may be repeated, each as a line of one text, or NULL if there are none.  A value of
 * several lines ends the program. */
const char *tool_lines(const char *option, const struct strs *values, struct arena *a);

/* Splits a list of names, like "id,text", into v, whose spans point into `list`.  Returns how many names the list has.
 * The program ends as in tool_numbers. */
size_t tool_names(const char *option, const char *list, struct span *v, size_t room);

#endif
