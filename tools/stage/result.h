/* result.h - writes what rank says about a record as fields of the record or as rows of a table
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
    double prob;           /* -1 where no probability is given */
    int64_t rank;          /* from 1; 0 where no rank is given */
    struct span label;     /* p is NULL where no label is given */
};

enum result_kind {
    RESULT_MATCH,    /* a record that passed the threshold, in the stream's order: cos, logit */
    RESULT_BEST,     /* one of the stream's best records: cos, logit, rank */
    RESULT_GROUP,    /* one of the best records of a root: cos, logit, prob, rank */
    RESULT_LABEL     /* the best labels of a record: label, cos, logit, prob */
};

/* Sets the results as fields of r.  With `list`, n results of RESULT_LABEL are written as arrays; without it, n must
 * be 1. */
int result_set(struct record *r, enum result_kind kind, const struct result *v, size_t n,
               bool list, struct arena *a, struct err *e);

/* Returns 0 if r has room for the fields of a kind and for params, and its params is an array or absent; else -1. */
int result_fits(const struct record *r, enum result_kind kind, struct err *e);

/* result_columns returns the names of the *n columns that a kind has by default. */
const char *const *result_columns(enum result_kind kind, size_t *n);

/* Writes a row for each of the n results.  A column of t is id, root, label, cos, logit, prob, rank, or a field of the
 * record, which is an empty text where the record lacks it or it is neither text nor a number. */
void result_rows(struct table *t, const struct record *r, const struct result *v, size_t n);

#endif
