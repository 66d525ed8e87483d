/* ranking.h - what rank does between a stream and its output
 *
 * What     RESULT_MATCH   each record that is like the query, or its own text, at once
 *          RESULT_BEST    the k most like it of all, at the end
 *          RESULT_GROUP   for each root: its k records most like their own text, and the
 *                         softmax over all of its records, when the root changes
 *          RESULT_LABEL   each record's k best labels, at once
 * Memory   The k best records (best.h), a root, and the record at hand; nothing grows with the
 *          stream.
 * Errors   ranking_add: -1, this record failed and is not part of the ranking; -2, memory is
 *          out and the ranking cannot go on.
 * Numbers  As similarity.h.  Equal cosines keep the order of the stream.
 */
#ifndef UNCLIP_RANKING_H
#define UNCLIP_RANKING_H

#include "formats/record/stream.h"
#include "lib/vector/zero_shot.h"
#include "tools/stage/best.h"
#include "tools/stage/labels.h"
#include "tools/stage/result.h"
#include "tools/stage/scan.h"

struct ranking {
    /* what is asked for, filled in by the caller */
    enum result_kind kind;
    size_t k;
    double scale, min_cos, min_prob;    /* below -1: no threshold */
    bool own_text;             /* each record against its own text_embed, not q */
    struct scan_query q;       /* the query; for labels q.from is what their vectors are */
    struct labels labels;
    struct pool *pool;
    /* gets a record, its arena and its results; -1 stops ranking_forward */
    int (*emit)(void *ctx, struct record *r, const struct result *v, size_t n, struct arena *a);
    void *ctx;
    /* state */
    struct best best;
    struct shelf root;         /* of the group at hand: one slot */
    struct sim_sum sum;
    struct zero_shot zero;
    struct result *result;     /* [k] of a record's labels */
    struct scan scan;
    size_t tried, taken;       /* bytes of the last stretch, and those that were plain */
    size_t wait, pause;        /* records until the next one, and how many they were at first */
    bool full;
};

int ranking_start(struct ranking *g, struct arena *a, struct err *e);

/* a: the record's own arena. */
int ranking_add(struct ranking *g, struct record *r, struct arena *a, struct err *e);

/* Before the first record of a stream. */
void ranking_stream(struct ranking *g);

/* Pass over plain records of s on all threads.  Returns how many.  After 0, or where `full`
 * says that memory is out, the caller goes on with stream_next. */
uint64_t ranking_forward(struct ranking *g, struct stream *s, struct arena a);

/* After the last record. */
void ranking_end(struct ranking *g, struct arena a);

#endif
