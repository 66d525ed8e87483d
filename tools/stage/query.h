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

/* What the user gave; NULL where an option was not given. */
struct query_source {
    const char *stream, *image;
    const char *const *text;    /* [ntext] with several texts, the query is the mean of their vectors, each of length one */
    size_t ntext;
    const char *names;          /* labels, each on a line, instead of a labels file */
    const char *labels, *templates, *cache;
    struct model_paths paths;
    const struct compute *compute;
    void (*tick)(void *ctx, uint64_t done, uint64_t total);    /* as in encode_labels; may be NULL */
    void *ctx;
};

/* Opens the query of `from` into *q.  The caller sets q->sim.kern, field and force before.  *scale receives the
 * checkpoint's logit scale if it has one. */
int query_open(struct scan_query *q, const struct query_source *from, double *scale,
               struct arena *a, struct err *e);

/* Opens the labels of `from` with their vectors.  *joint receives true if the vectors come from a checkpoint with both
 * towers.  key receives the key of labels_key, or "" where the labels file holds vectors. */
int query_open_labels(struct labels *l, const struct query_source *from, bool *joint,
                      char key[LABELS_KEY], struct arena *a, struct err *e);

/* Writes the map for params into *out; it holds all that is needed to compute the results again.  key is the key of
 * query_open_labels, or "". */
int query_params(struct span *out, const struct query_source *from, const struct ranking *g,
                 const char *key, struct arena *a, struct err *e);

#endif
