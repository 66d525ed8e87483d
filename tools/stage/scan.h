/* scan.h - cosines of all records in a stretch of a file, on all threads
 *
 * What     A stretch is cut into parts; a part's thread looks for the first record that
 *          starts in it, goes from record to record, scores each vector where it lies, and
 *          notes those that are good enough.  The parts are then taken in the order of the
 *          stream.
 *
 *          A part of a file is read(2) into a buffer that stays in the cache, or looked at
 *          where it is mapped.  Which is faster depends on the processor and on the size of
 *          the pages in the page cache.  So one stretch of SCAN_TRIAL parts or more does both
 *          in turn.  The map is used afterwards if it was faster, until pages have to come from
 *          a disk.  Bytes from a pipe are one part.
 *
 *          Where only cosines above a threshold count (over, least), a record is looked at in
 *          f32 first.  A record that is below the threshold then (sim_below) is never scored.
 *
 *          Most records of a file differ only in the id and the numbers.  After one record was
 *          parsed whole, the next one is accepted if the bytes around its numbers are those of
 *          the first one.  It is parsed only if they differ.
 * Safety   This is a fast way for plain records.  A record that is not plain ends the part: it is
 *          cut, malformed or longer than SCAN_BUFFER, carries an error, lacks the vector, or
 *          does not fit the query.  The caller goes on there with stream_next, which says what
 *          is wrong.  A RECORD_START inside a tensor's bytes is harmless, because a part counts
 *          only if it begins exactly where the record before it ended.
 * Numbers  Those of similarity.h.  They do not depend on the parts, the threads, the filter or
 *          the outcome of the trial.
 * Memory   SCAN_BUFFER for each thread, as much of a map as stream.h keeps, and up to
 *          SCAN_PARTS x SCAN_HITS x 16 bytes of hits.
 */
#ifndef UNCLIP_SCAN_H
#define UNCLIP_SCAN_H

#include "lib/base/pool.h"
#include "lib/vector/similarity.h"
#include "tools/stage/result.h"
#include "tools/stage/vector.h"

enum { SCAN_PARTS = 256, SCAN_STEP = 1 << 18, SCAN_BUFFER = 1 << 19, SCAN_HITS = 2048,
       SCAN_MOULD = 4096, SCAN_TRIAL = 32 };

enum scan_way { SCAN_UNTRIED, SCAN_TRY, SCAN_READ, SCAN_MAP };    /* untried: read */

struct scan_query {
    struct sim_query sim;
    struct vector from;     /* the query's own: width, field, model */
    const char *field;      /* of the records; NULL as in vector_find */
    bool joint, force;
    bool into;              /* the records get fields of `kind`, for which they must have room (result_fits) */
    enum result_kind kind;
};

struct scan_hit {
    double score;
    unsigned at, n;         /* the record's bytes, counted from the part's first */
};

struct scan_part {
    size_t lo, hi;          /* records that start here belong to it */
    size_t first, end;      /* of those that were scored; lo <= first, end may be beyond hi */
    uint64_t count;
    int64_t ns;             /* in a trial: what it took */
    size_t nhit;
    struct scan_hit *hit;   /* [SCAN_HITS] */
};

/* The bytes that all records of a kind share, which are all bytes except the id and the numbers. */
struct scan_mould {
    size_t bytes;           /* of the numbers; 0: no mould */
    size_t before, after;   /* bytes in text: from the id to the numbers, from there to the record's end */
    enum dtype dtype;
    unsigned char text[SCAN_MOULD];
};

struct scan_thread {
    struct arena_mem mem;
    struct arena room;      /* for one record's tables */
    unsigned char *buf;     /* [SCAN_BUFFER], best at the start of a page */
    size_t longest;         /* record so far */
    bool mapped;            /* the part at hand is looked at where it is mapped */
    struct scan_mould mould;
};

struct scan {
    const struct scan_query *q;
    struct pool *pool;
    struct scan_part *part;           /* [SCAN_PARTS] */
    struct scan_thread *thread;
    double over, least;               /* a hit is > over and >= least */
    struct sim_filter filter;         /* {0}: none; needs limit > -1 */
    enum scan_way way;
    size_t warm;                      /* parts of the last stretch, while they grow */
    /* the stretch at hand */
    const unsigned char *p;           /* [n]: all of the file, mapped; or a pipe's buffer */
    size_t n, hi;                     /* hi: where the stretch ends */
    int fd;                           /* of the mapped file, else -1 */
    double limit;                     /* the greater of over and least */
    size_t parts, next;
};

int scan_start(struct scan *s, const struct scan_query *q, struct pool *pool, struct arena *a,
               struct err *e);

/* The cosine of one record.  0, or -1 with the reason. */
int scan_record(const struct scan_query *q, const struct record *r, double *cos,
                struct arena scratch, struct err *e);

/* Score the plain records of a stretch that begins at byte `at` of p.  With fd >= 0, p is a mapped
 * file, and the stretch is at most SCAN_PARTS long; else it is all n bytes. */
void scan_run(struct scan *s, const unsigned char *p, size_t n, size_t at, int fd);

/* Take results from byte `at` on, up to the first gap.  Calls each(ctx, score, bytes) for the
 * hits in order, and stops when it returns -1.  Returns where the first record begins that was
 * not taken.  *count grows by the number of records that were passed. */
size_t scan_take(struct scan *s, size_t at, uint64_t *count,
                 int (*each)(void *ctx, double score, struct span bytes), void *ctx);

#endif
