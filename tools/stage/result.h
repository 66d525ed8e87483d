/* result.h - what rank says about a record, as fields of it or as rows of a table
 *
 * What     cos, logit, prob, label and rank of unclip(5).  A record that was ranked before
 *          loses the fields that this run does not set, except the label: a picture that was
 *          classified keeps its label when it is ranked by a sentence.
 */
#ifndef UNCLIP_RESULT_H
#define UNCLIP_RESULT_H

#include "formats/record/record.h"
#include "formats/record/table.h"

struct result {
    double cos, logit;
    double prob;           /* -1 where there is none */
    int64_t rank;          /* from 1; 0 where there is none */
    struct span label;     /* p is NULL where there is none */
};

enum result_kind {
    RESULT_MATCH,    /* passed a threshold, in the stream's order: cos, logit */
    RESULT_BEST,     /* of the stream: cos, logit, rank */
    RESULT_GROUP,    /* of its root's: cos, logit, prob, rank */
    RESULT_LABEL     /* of each record: label, cos, logit, prob */
};

/* Set the fields.  With `list`, n results of RESULT_LABEL are written as arrays; else n is
 * 1. */
int result_set(struct record *r, enum result_kind kind, const struct result *v, size_t n,
               bool list, struct arena *a, struct err *e);

/* Can a record take the fields of a kind, and params?  0 or -1. */
int result_fits(const struct record *r, enum result_kind kind, struct err *e);

/* The columns of a kind, and a row for each of n results. */
const char *const *result_columns(enum result_kind kind, size_t *n);
void result_rows(struct table *t, enum result_kind kind, const struct record *r,
                 const struct result *v, size_t n);

#endif
