/* options.h - options of a command line, from one table
 *
 * What     The table serves getopt_long, the check of the values, and -h.  It has a program's own options and
 *          those that programs share (tool.h).
 */
#ifndef UNCLIP_OPTIONS_H
#define UNCLIP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/span.h"

enum opt_kind { OPT_FLAG, OPT_STR, OPT_LIST, OPT_INT, OPT_FLOAT, OPT_CHOICE, OPT_MAYBE_INT, OPT_MAYBE_CHOICE };

enum { TOOL_LIST = 16 };    /* how often -m, or another option that is a list, may be given */

struct strs {
    const char *v[TOOL_LIST];
    size_t n;
};

/* One option.  `to` is a bool * (FLAG), const char ** (STR), struct strs * (LIST), int64_t * (INT), double * (FLOAT) or
 * int * (CHOICE: the index into choices, "f32|bf16").  The value of a MAYBE_INT may be left out, and is -1 then; that of
 * a MAYBE_CHOICE likewise, and is the first choice then.  Both have long names only.  min and max bound numbers. */
struct opt {
    int letter;            /* 0: long name only */
    const char *name;
    enum opt_kind kind;
    void *to;
    const char *arg;       /* what -h calls the argument */
    const char *help;      /* one line */
    double min, max;
    const char *choices;
};

/* Numbers from 0 to max in a list like "0,0.25,1".  Returns how many there are.  Another list, or one with more than
 * `room` numbers, ends the program. */
size_t tool_numbers(const char *option, const char *list, double max, double *v, size_t room);

/* Names in a list like "id,text", as tool_numbers.  They point into the list. */
size_t tool_names(const char *option, const char *list, struct span *v, size_t room);

#endif
