/* options.h - options of a command line, from one table
 *
 * What     The table serves getopt_long, the check of the values, and -h.  A program's own options are of this
 *          kind, and so are those that programs share (tool.h).
 */
#ifndef UNCLIP_OPTIONS_H
#define UNCLIP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/span.h"

enum opt_kind { OPT_FLAG, OPT_STR, OPT_LIST, OPT_INT, OPT_FLOAT, OPT_CHOICE, OPT_MAYBE_INT, OPT_MAYBE_CHOICE };

enum { TOOL_LIST = 16 };    /* -m and its kin may be given this often */

struct strs {
    const char *v[TOOL_LIST];
    size_t n;
};

/* One option.  `to`: bool * (FLAG), const char ** (STR), struct strs * (LIST), int64_t * (INT),
 * double * (FLOAT), int * (CHOICE: index into choices, "f32|bf16"), int64_t * (MAYBE_INT: an INT that
 * may be left out, and is -1 then; long names only), int * (MAYBE_CHOICE: likewise, the first of them
 * then).  min and max bound numbers. */
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

/* "0,0.25,1": numbers from 0 to max, `room` of them at most, or the program ends; how many. */
size_t tool_numbers(const char *option, const char *list, double max, double *v, size_t room);

/* "id,text": names, likewise; they point into the list. */
size_t tool_names(const char *option, const char *list, struct span *v, size_t room);

#endif
