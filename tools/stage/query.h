/* query.h - what records are compared with: one vector, or the vectors of labels
 *
 * What     A query is the vector of a stream's only record, or that of a text or picture from
 *          the model's tower.  The vectors of labels come from their file, from a cache, or
 *          from the text tower.
 * Errors   Messages begin with the file or path that caused the error.
 */
#ifndef UNCLIP_QUERY_H
#define UNCLIP_QUERY_H

#include "tools/stage/encode.h"
#include "tools/stage/labels.h"
#include "tools/stage/ranking.h"

/* What the user gave; NULL where an option was not given. */
struct query_source {
    const char *stream, *text, *image;
    const char *labels, *templates, *cache;
    struct model_paths paths;
    const struct compute *compute;
    void (*tick)(void *ctx, uint64_t done, uint64_t total);    /* of embedding labels; may be NULL */
    void *ctx;
};

/* The caller sets q->sim.kern, field and force.  *scale receives the checkpoint's scale if
 * it has one. */
int query_open(struct scan_query *q, const struct query_source *from, double *scale,
               struct arena *a, struct err *e);

/* *joint: the vectors come from a checkpoint with both towers.  key is "" where the file holds
 * vectors. */
int query_open_labels(struct labels *l, const struct query_source *from, bool *joint,
                      char key[LABELS_KEY], struct arena *a, struct err *e);

/* The map for params, with all that is needed to make the results again.  key: that of the labels, or "". */
int query_params(struct span *out, const struct query_source *from, const struct ranking *g,
                 const char *key, struct arena *a, struct err *e);

#endif
