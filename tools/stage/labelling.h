/* labelling.h - which class a record belongs to
 *
 * What     The label comes from a file of lines "id TAB label", from a regular expression, or from the record's own
 *          field `label`.
 *          Lines are looked up by the record's id, then by its path.  The file may hold lines for records that do not
 *          occur.
 *          The expression is POSIX extended and is matched against the record's path, or against the id if the record
 *          has no path.  The label is what the expression's first group matches, or the whole match if the expression
 *          has no group.
 *          A label is UTF-8.  A record with an empty label counts as unlabelled.
 * Errors   A line without a tab or with an empty label, an id with two labels, an expression that does not
 *          compile.  The message names the line, the id or the reason.
 */
#ifndef UNCLIP_LABELLING_H
#define UNCLIP_LABELLING_H

#include <regex.h>

#include "formats/record/record.h"

struct labelling {
    const struct labelled {
        struct span id, label;
    } *line;              /* [n], sorted by id */
    size_t n;
    bool by_regex;
    regex_t regex;
};

/* Opens a source of labels: the lines of `file`, or the expression `regex`.  If both are NULL, labels come from the
 * field `label`. */
int labelling_open(struct labelling *l, const char *file, const char *regex, struct arena *a, struct err *e);

/* Frees the expression.  The caller does not call labelling_of afterwards. */
void labelling_close(struct labelling *l);

/* Finds the label of r.  Returns 1 and sets *label, which is valid as long as r and the memory that labelling_open
 * took.  Returns 0 if r has no label, or -1 for an error. */
int labelling_of(const struct labelling *l, const struct record *r, struct span *label, struct arena *a, struct err *e);

#endif
