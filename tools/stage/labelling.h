/* labelling.h - which class a record belongs to
 *
 * What     From a file of lines "id TAB label", from the id by a regular expression, or from the record's own
 *          field `label`.  Lines are looked up by the record's id, then by its path; a line may be there for
 *          a record that is not.  The expression is POSIX extended and is tried on the path, or the id where
 *          there is no path; its first group is the label, or all that it matched where it has no group.
 *          A label is UTF-8; an empty one is not a label.
 * Errors   A line without a tab or with an empty label, an id with two labels, an expression that does not
 *          compile: named with the line or the reason.
 */
#ifndef UNCLIP_LABELLING_H
#define UNCLIP_LABELLING_H

#include <regex.h>

#include "formats/record/record.h"

struct labelling {
    const struct labelled {
        struct span id, label;
    } *line;              /* [n], by id */
    size_t n;
    bool by_regex;
    regex_t regex;
};

/* Both NULL: the field `label`. */
int labelling_open(struct labelling *l, const char *file, const char *regex, struct arena *a, struct err *e);

/* Frees the expression; no label is looked up afterwards. */
void labelling_close(struct labelling *l);

/* 1 and *label, which lives as long as the record or the file; 0: it has none; -1. */
int labelling_of(const struct labelling *l, const struct record *r, struct span *label, struct arena *a, struct err *e);

#endif
