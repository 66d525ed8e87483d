/* result.h - writes what rank says about a record as fields of the record or as rows of a table
 *
 * What     The fields are cos, logit, prob, label and rank of unclip(5).  If an earlier run ranked the record, the
 *          fields that this run does not set are removed, except the label: a picture that was classified keeps its
 *          label when it is ranked by a sentence.
 */
#ifndef UNCLIP_RESULT_H
#define UNCLIP_RESULT_H

#include "formats/record/record.h"
#include "formats/record/table.h"

struct result {
    double cos, logit;
    double prob;           /* -1: the result has no probability */
    int64_t rank;          /* from 1; 0: the result has no rank */
    struct span label;     /* label.p is NULL: the result has no label */
};

enum result_kind {
    RESULT_MATCH,    /* a record that passed the threshold, in the stream's order: cos, logit */
    RESULT_BEST,     /* one of the stream's best records: cos, logit, rank */
    RESULT_GROUP,    /* one of the best records of a root: cos, logit, prob, rank */
    RESULT_LABEL     /* the best labels of a record: label, cos, logit, prob */
};

/* Writes the results into fields of r.  If `list` is true, the n results of RESULT_LABEL are written as arrays;
 * otherwise n must be 1. */
int result_set(struct record *r, enum result_kind kind, const struct result *v, size_t n,
               bool list, struct arena *a, struct err *e);

/* Returns 0 if r has room for the fields of a kind and for params, and r's params are an array or absent; else -1. */
int result_fits(const struct record *r, enum result_kind kind, struct err *e);

/* Returns the names of the columns that a kind has by default, and sets *n to their number. */
const char *const *result_columns(enum result_kind kind, size_t *n);

/* Writes a row for each of the n results.  A column of t is id, root, label, cos, logit, prob, rank, or another field
 * of the record.  Such a field is written as an empty text if the record lacks it or if it is not a text, a number or a
 * bool. */
void result_rows(struct table *t, const struct record *r, const struct result *v, size_t n);

#endif
