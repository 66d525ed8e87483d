/* query.h - what records are compared with: one vector, or the vectors of labels
 *
 * What     A query is the vector of a stream's only record, or the vector that the model's tower
 *          computes for a text or picture.  The vectors of labels come from the labels file, from
 *          a cache, or from the text tower.
 * Errors   Messages begin with the file or path that caused the error.
 */
#ifndef UNCLIP_QUERY_H
#define UNCLIP_QUERY_H

#include "tools/stage/encode.h"
#include "tools/stage/labels.h"
#include "tools/stage/ranking.h"

/* What the user gave.  A field is NULL if its option was not given. */
struct query_source {
    const char *stream, *image;
    const char *const *text;    /* [ntext]; with several texts, the query is the mean of their vectors of length one */
    size_t ntext;
    const char *names;          /* labels, each on a line, instead of a labels file */
    const char *labels, *templates, *cache;
    struct model_paths paths;
    const struct compute *compute;
    void (*tick)(void *ctx, uint64_t done, uint64_t total);    /* as in encode_labels; may be NULL */
    void *ctx;
};

/* Opens the query of `from` into *q.  The caller has set q->sim.kern, q->field and q->force.  *scale receives the
 * checkpoint's logit scale, if the checkpoint has one. */
int query_open(struct scan_query *q, const struct query_source *from, double *scale,
               struct arena *a, struct err *e);

/* Opens the labels of `from` with their vectors, and sets q->joint and q->clip for the comparison with these vectors.
 * The caller has set q->field and q->force.  `key` receives the key of labels_key, or "" if the labels file holds vectors. */
int query_open_labels(struct labels *l, const struct query_source *from, struct scan_query *q,
                      char key[LABELS_KEY], struct arena *a, struct err *e);

/* Sets *out to the map for params, which holds all that is needed to compute the results again.  `key` is the key from
 * query_open_labels, or "". */
int query_params(struct span *out, const struct query_source *from, const struct ranking *g,
                 const char *key, struct arena *a, struct err *e);

#endif
