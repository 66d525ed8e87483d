/* ranking.h - what rank does between a stream and its output
 *
 * What     The kind of a ranking says which results are emitted, and when.
 *          RESULT_MATCH   each record that is similar enough to the query or to its own text, at once
 *          RESULT_BEST    the k records of the stream most similar to the query or to their own text, at the end
 *          RESULT_GROUP   for each root, when the root changes: its k records most similar to their own
 *                         text, with the softmax over all records of the root
 *          RESULT_LABEL   each record's k best labels, at once
 * Memory   A ranking keeps the k best records (best.h), a root, and the current record.  Nothing grows with the
 *          stream.
 * Errors   ranking_add returns -1 if the record failed and is not part of the ranking, and -2 if memory
 *          ran out and the ranking cannot go on.
 * Numbers  Cosines are computed as in similarity.h.  Records with equal cosines keep the order of the stream.
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
    /* the caller fills in what it asks for */
    enum result_kind kind;
    size_t k;
    double scale, min_cos, min_prob;    /* a minimum below -1 means that there is no threshold */
    bool own_text;             /* true: each record is compared with its own text_embed instead of q */
    struct scan_query q;       /* the query; with labels, q.from has field, width and model of the labels' vectors */
    struct labels labels;
    struct pool *pool;
    /* the function that receives a record, its n results and its arena; returns -1 to stop ranking_forward */
    int (*emit)(void *ctx, struct record *r, const struct result *v, size_t n, struct arena *a);
    void *ctx;
    /* state */
    struct best best;
    struct shelf root;         /* its only slot holds the root of the current group */
    struct sim_sum sum;
    struct zero_shot zero;
    struct result *result;     /* [k] results of the current record's labels */
    struct scan scan;
    size_t tried, taken;       /* bytes of the last stretch, and bytes of its plain records */
    size_t wait, pause;        /* records until the next stretch, and the value that wait started from */
    bool full;                 /* true: memory ran out */
};

int ranking_start(struct ranking *g, struct arena *a, struct err *e);

/* Adds a record to the ranking.  The arena a is the record's own. */
int ranking_add(struct ranking *g, struct record *r, struct arena *a, struct err *e);

/* Returns true, with the reason in e, if the record's vector cannot be compared with the query or the labels, because
 * another model made it. */
bool ranking_foreign(const struct ranking *g, const struct record *r, struct arena a, struct err *e);

/* The caller calls this before the first record of each stream. */
void ranking_stream(struct ranking *g);

/* Ranks the next plain records (scan.h) of s on all threads and returns how many there were.  If the result is 0, or if
 * memory ran out (g->full), the caller goes on with stream_next. */
uint64_t ranking_forward(struct ranking *g, struct stream *s, struct arena a);

/* Emits the results of RESULT_BEST, or of the last group.  The caller calls this after the last record. */
void ranking_end(struct ranking *g, struct arena a);

#endif
